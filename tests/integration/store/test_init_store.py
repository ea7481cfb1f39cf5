import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from harness.hub_configuration import changed, hub_configuration
from harness.hub_process import payment_of, running_hub
from harness.keyring import new_key_file
from harness.plugin import DECLINED, Behaviour, Plugin
from harness.redis_server import RedisServer
from integration.store.conftest import fresh_prefix
from payorch_server import cli

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a configuration of the hub, and return its path."""

    def write_file(**changes: object) -> str:
        path = tmp_path / "hub.yaml"
        path.write_text(yaml.safe_dump(changed(hub_configuration(tmp_path), changes)))
        return str(path)

    return write_file


@pytest.fixture
def on_redis(write: Write, shared_server: RedisServer, tmp_path: Path) -> str:
    """Write a configuration of a hub whose records are in a real Redis."""
    (tmp_path / "key").write_text(new_key_file())
    store = {"kind": "redis", "url": shared_server.url, "prefix": fresh_prefix()}
    timeouts = {"connect_timeout_s": 10.0, "operation_timeout_s": 10.0}
    return write(store=store | timeouts, keys=[{"id": "first", "file": str(tmp_path / "key")}])


class TestInitStore:
    """`payorch-server upc init-store`."""

    def test_declares_the_epoch_once(self, on_redis: str, capsys: pytest.CaptureFixture[str]) -> None:
        """A second time it says since when it is declared, whatever the second declaration is."""
        first = cli.main(["upc", "init-store", "--config", on_redis, "--first-start"])
        second = cli.main(["upc", "init-store", "--config", on_redis, "--after-loss"])

        said = capsys.readouterr().out.splitlines()
        assert (0, 0) == (first, second)
        assert said[0] == "The epoch is declared."
        assert re.fullmatch(r"The epoch stays: it was declared at 20\d\d-\d\d-\d\dT[\d:]{8}Z by init-store\.", said[1])

    @pytest.mark.parametrize("options", [[], ["--first-start", "--after-loss"]], ids=["nothing", "both"])
    def test_declares_nothing_by_accident(
        self, on_redis: str, capsys: pytest.CaptureFixture[str], options: list[str]
    ) -> None:
        """It says what each of the two would mean."""
        status = cli.main(["upc", "init-store", "--config", on_redis, *options])

        said = capsys.readouterr()
        assert (2, "") == (status, said.out)
        assert said.err.startswith("Nothing was declared. Give one of:\n  --first-start  No hub has sent")
        assert cli.main(["upc", "init-store", "--config", on_redis, "--first-start"]) == 0
        assert capsys.readouterr().out == "The epoch is declared.\n"

    def test_refuses_a_store_in_memory(self, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
        """It would declare the epoch of its own memory."""
        assert cli.main(["upc", "init-store", "--config", write(), "--first-start"]) == 2
        assert capsys.readouterr().err.startswith("store.kind: is memory")

    def test_names_a_store_that_cannot_be_used(
        self, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """In a sentence, with status 1."""
        (tmp_path / "key").write_text(new_key_file())
        path = write(
            store={"kind": "redis", "url": "redis://127.0.0.1:1/0"},
            keys=[{"id": "first", "file": str(tmp_path / "key")}],
        )

        assert cli.main(["upc", "init-store", "--config", path, "--first-start"]) == 1
        assert capsys.readouterr().err.startswith("The store cannot be used, and the epoch may be declared or not: ")

    @pytest.mark.asyncio
    async def test_is_what_lets_a_hub_trust_missing_records(
        self, tmp_path: Path, shared_server: RedisServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Before it a decline without LookUp proves nothing, and readiness says why; after it a decline is one."""
        (tmp_path / "key").write_text(new_key_file())
        timeouts = {"connect_timeout_s": 10.0, "operation_timeout_s": 10.0}
        over = {
            "store": {"kind": "redis", "url": shared_server.url, "prefix": fresh_prefix()} | timeouts,
            "keys": [{"id": "first", "file": str(tmp_path / "key")}],
        }
        plugin = Plugin()
        plugin.default, plugin.description.looks_up = Behaviour(result=DECLINED), False
        async with running_hub(tmp_path, over=over, plugin=plugin) as hub:
            await hub.application.watch.look()
            undeclared = (await hub.endpoint.probe()).json()
            before = await hub.endpoint.send(payment_of("pay-1"))
            command = ["upc", "init-store", "--config", str(hub.file), "--first-start"]
            status = await asyncio.to_thread(cli.main, command)
            await hub.application.watch.look()
            declared = (await hub.endpoint.probe()).json()
            after = await hub.endpoint.send(payment_of("pay-2"))

        assert (True, False) == (undeclared["ready"], undeclared["epoch"]["declared"])
        assert (503, 0) == (before.status_code, status)
        assert "declared" in capsys.readouterr().out
        assert ("init-store", "Declined") == (declared["epoch"]["by"], after.json()["responseCode"])
