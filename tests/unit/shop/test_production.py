"""The example's shop in production has nothing of the demo."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from harness.shop import ORDER, TOKEN
from shop.__main__ import application
from shop.orders import Orders

SHOP = Path("clients/examples/web")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the least that it needs; nothing listens at its target."""
    return {
        "PAYORCH_TARGET": "127.0.0.1:1",
        "SHOP_DATABASE": str(tmp_path / "shop.sqlite"),
        "SHOP_NAME": "Example shop",
        "APPLE_MERCHANT_ID": "merchant.example",
    }


class TestProduction:
    """`python -m shop`."""

    def test_does_not_even_load_the_emulator(self) -> None:
        """What makes tokens is in the module of the demo alone."""
        program = "import shop.__main__, sys; sys.exit(any('emulator' in name for name in sys.modules))"

        assert 0 == subprocess.run([sys.executable, "-c", program], check=False, cwd=SHOP).returncode  # noqa: S603

    @pytest.mark.asyncio
    async def test_makes_no_tokens(self, environment: dict[str, str]) -> None:
        """Neither the address nor the script of the stand-in exists."""
        orders = Orders(Path(environment["SHOP_DATABASE"]))
        orders.add(ORDER)
        orders.close()
        async with TestClient(TestServer(await application(environment))) as client:
            statuses = []
            for method, path in (
                ("POST", f"/stand-in/{ORDER.id}"),
                ("GET", "/stand-in.js"),
                ("GET", "/page/stand-in.js"),
            ):
                async with client.request(method, path) as answer:
                    statuses.append(answer.status)
        assert statuses == [404, 404, 404]

    @pytest.mark.asyncio
    async def test_tells_the_payer_that_nothing_was_sent(self, environment: dict[str, str]) -> None:
        """Where the service cannot be reached, the payer may try again."""
        orders = Orders(Path(environment["SHOP_DATABASE"]))
        orders.add(ORDER)
        orders.close()
        async with (
            TestClient(TestServer(await application(environment))) as client,
            client.post(f"/orders/{ORDER.id}/payment", json={"token": TOKEN}) as answer,
        ):
            state = await answer.json()

        assert (state["stage"], state["action"]) == ("not_sent", "retry")

    def test_says_in_one_line_what_is_not_set(self) -> None:
        """To a person who starts it, without a stack trace."""
        started = subprocess.run(
            [sys.executable, "-m", "shop"], check=False, cwd=SHOP, env={}, capture_output=True, text=True
        )

        assert (started.returncode, started.stderr) == (1, "PAYORCH_TARGET is not set; README.md has all settings.\n")

    @pytest.mark.parametrize("name", ["PAYORCH_TARGET", "SHOP_DATABASE", "SHOP_NAME", "APPLE_MERCHANT_ID"])
    def test_names_a_setting_that_is_missing(self, environment: dict[str, str], name: str, tmp_path: Path) -> None:
        """Before it opens its database, which would stay open."""
        del environment[name]

        with pytest.raises(KeyError, match=name):
            asyncio.run(application(environment))

        assert not list(tmp_path.iterdir())
