"""Files that change while the service runs: taken over whole, or refused while the ones before go on."""

import asyncio
import dataclasses
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio
import yaml
from harness.calls import refusal
from harness.requests import payment_method_request, session_request
from harness.stack import LocalStack, running
from payorch import CallError
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from structlog.testing import capture_logs
from zuora_emulator import Emulator, seed

NEW_CLIENT = dataclasses.replace(
    seed.CLIENT_A, client_id="emulator-client-a-000000000000000009", client_secret="emulator-secret-a-new"
)
ACCESS = {
    "callers": [
        {
            "caller": "anonymous",
            "namespace": "shop",
            "rpcs": ["*"],
            "tenants": {"*": {"entities": ["*"], "orgs": ["*"]}},
            "move_money": True,
        }
    ],
    "anonymous_may_move_money": True,
}
OF_EACH_TENANT = (
    "payorch_tenant_ready",
    "payorch_upstream_retry_budget",
    "payorch_upstream_circuit",
    "payorch_token_age_seconds",
    "payorch_clock_offset_seconds",
)


class Unquoted(str):
    """A text that YAML writes without quotes."""

    __slots__ = ()


yaml.SafeDumper.add_representer(Unquoted, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:int", text))


class Watched:
    """A running service that watches its files."""

    def __init__(self, stack: LocalStack, stub: Any) -> None:
        self.stack = stack
        self.stub = stub

    async def session(self) -> service_pb2.CreateSessionResponse:
        """Create a session in dollars."""
        return await self.stub.CreateSession(session_request(), timeout=10)  # type: ignore[no-any-return] # a stub

    async def readiness(self) -> dict[str, Any]:
        """Ask the admin listener."""
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"{self.stack.admin_url}/readyz")
        return dict(json.loads(answer.content))

    async def metric(self, *parts: str) -> float:
        """Read the metric whose line has some parts."""
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"{self.stack.admin_url}/metrics")
        lines = [line for line in answer.text.splitlines() if all(part in line for part in parts)]
        return float(next(line for line in lines if not line.startswith("#")).rpartition(" ")[2])

    async def tenants_of(self, name: str) -> set[str]:
        """Read of which tenants a metric says something."""
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"{self.stack.admin_url}/metrics")
        return set(re.findall(rf'^{name}{{.*tenant="(\w+)"', answer.text, re.MULTILINE))

    def change(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Edit the configuration file."""
        file = self.stack.folder / "payorch.yaml"
        content = yaml.safe_load(file.read_text())
        edit(content)
        replacement = file.with_name("replacement")
        replacement.write_text(yaml.safe_dump(content))
        replacement.replace(file)

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask for the readiness until it is as it should be."""
        async with asyncio.timeout(15):
            while not holds(now := await self.readiness()):
                await asyncio.sleep(0.02)
        return now


@pytest_asyncio.fixture
async def watched() -> AsyncIterator[Watched]:
    """Run the emulator and a service whose files are watched."""
    over = {"access": ACCESS}
    async with running(watched=True, over=over) as stack, grpc.aio.insecure_channel(stack.target) as channel:
        one = Watched(stack, service_grpc.PaymentOrchestrationServiceStub(channel))
        await one.until(lambda now: all(now["tenants"].values()))
        yield one


def rename_rules(content: dict[str, Any]) -> None:
    """Give every rule another name."""
    for rule in content["routing"]:
        rule["name"] += "-2"


def refused(now: dict[str, Any]) -> bool:
    """Tell whether a change is refused."""
    return bool(now["refused_change"])


@pytest.mark.asyncio
async def test_another_policy_is_taken_over(watched: Watched) -> None:
    """Calls that begin after it go by it, and say so."""
    before = await watched.session()

    watched.change(rename_rules)
    await watched.until(lambda now: now["policy_hash"] != before.call.policy_hash)

    after = await watched.session()
    assert ("dollars-and-yen", "dollars-and-yen-2") == (before.call.matched_rule, after.call.matched_rule)
    assert before.call.policy_hash != after.call.policy_hash


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("edit", "problem", "reason"),
    [
        (
            lambda content: content["routing"][0]["to"].update(tenant="nobody"),
            "routing.0 (solo).to.tenant: nobody is not in tenants",
            "a rule that leads nowhere",
        ),
        (
            lambda content: content["grpc"].update(max_request_bytes=8192),
            "grpc: has changed, which needs a restart",
            "a section that is read at the start only",
        ),
        (
            lambda content: content["access"]["callers"][0].update(namespace="other"),
            "access.callers (anonymous).namespace: would change from shop to other",
            "known request ids would become new intents",
        ),
        (
            lambda content: content.pop("access"),
            "access.callers (anonymous).namespace: would change from shop to default",
            "the same by another way",
        ),
        (
            lambda content: Path(content["tenants"]["acme"]["client_secret_file"]).write_text("wrong"),
            "tenants.acme: the changed credentials could not be verified: UPSTREAM_CREDENTIALS_REJECTED",
            "a secret that Zuora does not know",
        ),
        (
            lambda content: content["tenants"]["acme"].update(zuora_version=Unquoted("9" * 5000)),
            "the value cannot be read as int",
            "a number that is too long",
        ),
        (
            lambda content: Path(content["tenants"]["acme"]["client_secret_file"]).unlink(),
            "cannot be read: No such file or directory",
            "a secret that is gone",
        ),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
async def test_a_bad_change_raises_an_alarm_and_changes_nothing(
    watched: Watched, edit: Callable[[dict[str, Any]], None], problem: str, reason: str
) -> None:
    """Log and readiness say what is wrong; the configuration before goes on; the alarm ends when it is mended."""
    file = watched.stack.folder / "payorch.yaml"
    good, before = file.read_text(), await watched.session()

    with capture_logs() as log:
        watched.change(edit)
        now = await watched.until(refused)
        during = await watched.session()

        (watched.stack.folder / seed.CLIENT_A.client_id).write_text(seed.CLIENT_A.client_secret)
        file.write_text(good)
        mended = await watched.until(lambda now: not refused(now))

    assert any(problem in one for one in now["refused_change"]), reason
    assert (True, before.call.policy_hash) == (now["ready"], during.call.policy_hash)
    assert before.call.policy_hash == mended["policy_hash"]
    alarms = [one for one in log if one["event"] == "config_change_rejected"]
    assert 1.0 == await watched.metric("payorch_configuration_reloads_total{", 'result="refused"')
    assert 0.0 == await watched.metric("payorch_configuration_refused")
    assert [("error", tuple(now["refused_change"]))] == [(one["log_level"], one["problems"]) for one in alarms[-1:]]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda content: content["routing"][0]["to"].update(tenant="nobody"), "a broken rule"),
        (lambda content: content["grpc"].update(drain_wait_s=9.0), "a section that is read once"),
        (
            lambda content: Path(content["tenants"]["acme"]["client_secret_file"]).write_text("wrong"),
            "a secret that Zuora does not know",
        ),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
@pytest.mark.asyncio
async def test_a_kill_switch_works_whatever_else_is_wrong(
    watched: Watched, edit: Callable[[dict[str, Any]], None], reason: str
) -> None:
    """It is thrown on the day on which other things are broken; nothing else of the change is taken over."""

    def switch_off(content: dict[str, Any]) -> None:
        edit(content)
        content["tenants"]["acme"]["switched_off"] = ["CreateSession"]
        rename_rules(content)

    before = await watched.session()
    watched.change(switch_off)
    await watched.until(refused)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await watched.session()
    method = await watched.stub.CreatePaymentMethod(payment_method_request(), timeout=10)

    assert "SWITCHED_OFF" == CallError.from_rpc_error(caught.value).reason, reason
    assert "methods-and-wallets" == method.call.matched_rule
    assert before.call.policy_hash == method.call.policy_hash
    assert 1.0 == await watched.metric("payorch_configuration_reloads_total{", 'result="switched_off"')


@pytest.mark.asyncio
async def test_a_kill_switch_is_taken_back_with_a_good_change(watched: Watched) -> None:
    """A refused change switches nothing on; the next good one says what holds."""

    def broken(content: dict[str, Any]) -> None:
        content["tenants"]["acme"]["switched_off"] = ["CreateSession"]
        content["unheard_of"] = 1

    def still_broken(content: dict[str, Any]) -> None:
        del content["tenants"]["acme"]["switched_off"], content["unheard_of"]
        content["unheard_of_as_well"] = 1

    good = (watched.stack.folder / "payorch.yaml").read_text()
    watched.change(broken)
    await watched.until(refused)
    watched.change(still_broken)
    await watched.until(lambda now: "as_well" in str(now["refused_change"]))
    with pytest.raises(grpc.aio.AioRpcError):
        await watched.session()
    (watched.stack.folder / "payorch.yaml").write_text(good)
    await watched.until(lambda now: not refused(now))

    assert 32 == len((await watched.session()).session.token)


@pytest.mark.asyncio
async def test_another_oauth_client_takes_over_when_zuora_knows_it(watched: Watched) -> None:
    """Until then the one before goes on; after it the one before may be deleted."""
    emulator, folder = watched.stack.emulator, watched.stack.folder
    secret = folder / "new"
    secret.write_text(NEW_CLIENT.client_secret)

    def rotate(content: dict[str, Any]) -> None:
        content["tenants"]["acme"].update(
            client_id=NEW_CLIENT.client_id,
            client_secret_file=str(secret),
            previous_client_ids=[seed.CLIENT_A.client_id],
        )

    watched.change(rotate)
    await watched.until(refused)
    assert (await watched.session()).session.token

    before = (await watched.readiness())["policy_hash"]
    emulator.state.clients[NEW_CLIENT.client_id] = NEW_CLIENT
    secret.touch()
    await watched.until(lambda now: not refused(now) and now["policy_hash"] != before)
    del emulator.state.clients[seed.CLIENT_A.client_id]
    _revoke_grants(emulator, seed.CLIENT_A.client_id)

    assert (await watched.session()).session.token


def _revoke_grants(emulator: Emulator, client_id: str) -> None:
    for token in [token for token, grant in emulator.state.grants.items() if grant.client.client_id == client_id]:
        del emulator.state.grants[token]


@pytest.mark.asyncio
async def test_a_tenant_can_come_and_go(watched: Watched) -> None:
    """A new one becomes ready by itself, and one that is gone is neither served nor measured."""

    def leave(content: dict[str, Any]) -> None:
        content["tenants"].pop("solo")
        content["routing"] = [rule for rule in content["routing"] if rule["to"]["tenant"] != "solo"]

    def in_solo() -> service_pb2.CreateSessionRequest:
        request = session_request()
        request.one_time_payment.account_id = seed.ACCOUNT_SINGLE.id
        request.route.tenant = "solo"
        return request

    good = (watched.stack.folder / "payorch.yaml").read_text()
    watched.change(leave)
    await watched.until(lambda now: list(now["tenants"]) == ["acme"])
    while_gone = await refusal(watched.stub.CreateSession(in_solo(), timeout=10))
    measured = [await watched.tenants_of(name) for name in OF_EACH_TENANT]

    (watched.stack.folder / "payorch.yaml").write_text(good)
    await watched.until(lambda now: now["tenants"] == {"acme": True, "solo": True})
    back = await watched.stub.CreateSession(in_solo(), timeout=10)

    assert ("ROUTE_HINT_UNKNOWN", "solo") == (while_gone.reason, back.call.matched_rule)
    assert [{"acme"}] * len(OF_EACH_TENANT) == measured
    assert [{"acme", "solo"}] * len(OF_EACH_TENANT) == [await watched.tenants_of(name) for name in OF_EACH_TENANT]


@pytest.mark.asyncio
async def test_nothing_ends_the_watch_without_a_word(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in taking a change over is an alarm like any other, and the next change is looked at again."""
    running_service = watched.stack.application.components
    monkeypatch.setattr(running_service, "_build_policy", lambda *_: 1 // 0)
    monkeypatch.setattr("payorch_server.app.file_reload._CHECK_INTERVAL_S", 0.1)
    before = (await watched.readiness())["policy_hash"]

    watched.change(rename_rules)
    now = await watched.until(refused)
    monkeypatch.undo()
    mended = await watched.until(lambda now: now["policy_hash"] != before)

    assert ["the files cannot be watched or applied: ZeroDivisionError"] == now["refused_change"]
    assert [] == mended["refused_change"]
