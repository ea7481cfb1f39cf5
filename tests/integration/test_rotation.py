"""Every credential and the policy are replaced under load, one after the other: nobody notices, and nothing lingers."""

import asyncio
import dataclasses
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio
import yaml
from harness.authority import AUDIENCE, ISSUER, Authority, Issued, Issuer, key_set
from harness.mounted_files import MountedFiles
from harness.requests import payment_method_request, session_request
from harness.stack import configuration
from payorch import CallError
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server import config
from payorch_server.app import start as app
from zuora_emulator import Emulator, seed, serving

CALLS = 2400
WORKERS = 12
CALLS_PER_CONNECTION = 40
NEW_CLIENT = dataclasses.replace(
    seed.CLIENT_A, client_id="emulator-client-a-000000000000000009", client_secret="emulator-secret-a-new"
)
CALLER = "spiffe://example.org/ns/shop/sa/till"


@dataclass(slots=True)
class Fleet:
    """The service with everything that is mounted, and the callers."""

    emulator: Emulator
    application: app.Application
    mounted: MountedFiles
    client: Issued
    authorities: bytes
    tokens: list[Issuer]
    """Whoever issues callers' tokens at the moment."""
    seen: Counter[str] = field(default_factory=Counter)
    failures: list[CallError] = field(default_factory=list)
    progress: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def readiness(self) -> dict[str, Any]:
        """Ask the admin listener."""
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"http://127.0.0.1:{self.application.admin_port}/readyz")
        return dict(json.loads(answer.content))

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the service says that something holds."""
        async with asyncio.timeout(15):
            while not holds(await self.readiness()):
                await asyncio.sleep(0.02)

    async def more_calls(self, count: int) -> None:
        """Wait until that many more calls have ended."""
        wanted = self.ended + count
        async with self.progress, asyncio.timeout(15):
            await self.progress.wait_for(lambda: self.ended >= wanted)

    @property
    def ended(self) -> int:
        """How many calls have ended."""
        return self.seen.total() + len(self.failures)

    async def certificate(self) -> bytes:
        """Make a handshake; return the certificate that is shown."""

        def shake() -> str:
            return ssl.get_server_certificate(("127.0.0.1", self.application.grpc_port))

        try:
            return (await asyncio.to_thread(shake)).encode()
        except ssl.SSLError:
            raise AssertionError("the handshake failed") from None

    async def work(self, stop: asyncio.Event) -> None:
        """Call until told to stop, over a new connection now and then: by certificate, or by token on top of it."""
        credentials = grpc.ssl_channel_credentials(self.authorities, self.client.key, self.client.certificate)
        target = f"localhost:{self.application.grpc_port}"
        while not stop.is_set():
            async with grpc.aio.secure_channel(target, credentials) as channel:
                stub = service_grpc.PaymentOrchestrationServiceStub(channel)
                for _ in range(CALLS_PER_CONNECTION):
                    await self._call(stub)

    async def _call(self, stub: Any) -> None:
        metadata = ()
        if self.ended % 2:
            metadata = (("authorization", f"Bearer {self.tokens[-1].token('till')}"),)
        try:
            response = await stub.CreateSession(session_request(), metadata=metadata, timeout=10)
        except grpc.aio.AioRpcError as error:
            self.failures.append(CallError.from_rpc_error(error))
        else:
            self.seen[response.call.policy_hash] += 1
        async with self.progress:
            self.progress.notify_all()


def policy(content: dict[str, Any], **acme: Any) -> str:
    """Return the part of a configuration that is reloaded, with changes to a tenant."""
    tenants = content["tenants"] | {"acme": content["tenants"]["acme"] | acme}
    rights = {"namespace": "shop", "rpcs": ["CreateSession"], "tenants": {"acme": {"entities": ["*"], "orgs": ["*"]}}}
    callers = [{"caller": caller, **rights} for caller in (CALLER, "jwt:till")]
    document = {"tenants": tenants, "routing": content["routing"], "access": {"callers": callers}}
    return yaml.safe_dump(document)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A fleet and what it began with."""

    fleet: Fleet
    authority: Authority
    content: dict[str, Any]


@pytest_asyncio.fixture
async def prepared(tmp_path: Path) -> AsyncIterator[Prepared]:
    """Start the emulator and the service over TLS."""
    emulator, authority, issuer = Emulator(), Authority(), Issuer(kid="first")
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(emulator))
        content = configuration(emulator_url=url, folder=tmp_path)
        server = authority.issue("localhost", "127.0.0.1")
        content["tenants"]["acme"]["client_secret_file"] = str(tmp_path / "mounted" / "secret-first")
        mounted = MountedFiles(
            tmp_path / "mounted",
            {
                "policy.yaml": policy(content),
                "tls.crt": server.certificate,
                "tls.key": server.key,
                "ca.crt": authority.certificate,
                "jwks.json": key_set(issuer),
                "secret-first": seed.CLIENT_A.client_secret,
                "secret-second": NEW_CLIENT.client_secret,
            },
        )
        content["grpc"]["tls"] = {
            "certificate_file": mounted / "tls.crt",
            "key_file": mounted / "tls.key",
            "client_ca_file": mounted / "ca.crt",
        }
        jwt = {"own": {"key_set_file": mounted / "jwks.json", "issuer": ISSUER, "audience": AUDIENCE}}
        fixed = {name: content[name] for name in ("grpc", "admin", "accept_memory_store")} | {"identity": {"jwt": jwt}}
        (tmp_path / "payorch.yaml").write_text(yaml.safe_dump(fixed))
        files = (tmp_path / "payorch.yaml", Path(mounted / "policy.yaml"))
        application = await app.start(config.load(*files), stack=stack, files=files)
        client = authority.issue(CALLER)
        fleet = Fleet(emulator, application, mounted, client, authority.certificate, [issuer])
        await fleet.until(lambda now: all(now["tenants"].values()))
        yield Prepared(fleet, authority, content)


@pytest.mark.asyncio
@pytest.mark.timeout(60)
async def test_everything_is_rotated_once_and_no_call_fails(prepared: Prepared) -> None:
    """Certificate, key of tokens, Zuora's credential and policy, then a broken policy; 2,400 calls meanwhile."""
    fleet = prepared.fleet
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(fleet.work(stop))
        await fleet.more_calls(200)
        await _rotate_certificate(prepared)
        await _rotate_key_of_tokens(fleet)
        await _rotate_zuora_credential(prepared)
        await _rotate_policy(prepared)
        await _break_policy(prepared)
        await fleet.more_calls(max(CALLS - fleet.ended, 200))
        stop.set()

    assert [] == fleet.failures
    assert fleet.ended >= CALLS
    assert 3 == len(fleet.seen), "calls under the first policy, the second credential and the second policy"


async def _rotate_certificate(prepared: Prepared) -> None:
    fleet, fresh = prepared.fleet, prepared.authority.issue("localhost", "127.0.0.1")
    before = await fleet.certificate()

    fleet.mounted.update({"tls.crt": fresh.certificate, "tls.key": fresh.key})

    async with asyncio.timeout(15):
        while (shown := await fleet.certificate()) == before:
            await asyncio.sleep(0.02)
    assert fresh.certificate.strip() == shown.strip()
    await fleet.more_calls(200)


async def _rotate_key_of_tokens(fleet: Fleet) -> None:
    first, second = fleet.tokens[0], Issuer("EdDSA", kid="second")
    fleet.mounted.update({"jwks.json": key_set(first, second)})
    await _until_taken(fleet, second)
    fleet.tokens.append(second)
    # Calls with the first key may still be on their way.
    await fleet.more_calls(2 * WORKERS)

    fleet.mounted.update({"jwks.json": key_set(second)})

    async with asyncio.timeout(15):
        while await _is_taken(fleet, first):
            await asyncio.sleep(0.02)
    await fleet.more_calls(200)


async def _until_taken(fleet: Fleet, issuer: Issuer) -> None:
    async with asyncio.timeout(15):
        while not await _is_taken(fleet, issuer):
            await asyncio.sleep(0.02)


async def _is_taken(fleet: Fleet, issuer: Issuer) -> bool:
    """Make a call with a token of an issuer; it has no right to the RPC, so nothing comes of it."""
    credentials = grpc.ssl_channel_credentials(fleet.authorities, fleet.client.key, fleet.client.certificate)
    metadata = (("authorization", f"Bearer {issuer.token('till')}"),)
    async with grpc.aio.secure_channel(f"localhost:{fleet.application.grpc_port}", credentials) as channel:
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.CreatePaymentMethod(payment_method_request(), metadata=metadata, timeout=10)
    return CallError.from_rpc_error(caught.value).reason == "CALLER_NOT_PERMITTED"


async def _rotate_zuora_credential(prepared: Prepared) -> None:
    fleet, emulator = prepared.fleet, prepared.fleet.emulator
    before = (await fleet.readiness())["policy_hash"]
    emulator.state.clients[NEW_CLIENT.client_id] = NEW_CLIENT
    changed = _with_new_client(prepared)

    fleet.mounted.update({"policy.yaml": changed})

    await fleet.until(lambda now: now["policy_hash"] != before)
    # The overlap: calls that began with the credential before end with it.
    await fleet.more_calls(2 * WORKERS)
    arrived = len(emulator.journal.entries)
    del emulator.state.clients[seed.CLIENT_A.client_id]
    gone = [token for token, grant in emulator.state.grants.items() if grant.client.name == "A"
            and grant.client.client_id != NEW_CLIENT.client_id]  # fmt: skip
    for token in gone:
        del emulator.state.grants[token]
    await fleet.more_calls(300)
    statuses = Counter(one.status for one in emulator.journal.entries[arrived:])
    assert gone
    assert [200] == list(statuses), "the credential before is gone, and whoever used it would be refused"


def _with_new_client(prepared: Prepared) -> str:
    return policy(
        prepared.content,
        client_id=NEW_CLIENT.client_id,
        client_secret_file=prepared.fleet.mounted / "secret-second",
        previous_client_ids=[seed.CLIENT_A.client_id],
    )


async def _rotate_policy(prepared: Prepared) -> None:
    fleet = prepared.fleet
    before = (await fleet.readiness())["policy_hash"]
    for rule in prepared.content["routing"]:
        rule["name"] += "-2"

    fleet.mounted.update({"policy.yaml": _with_new_client(prepared)})

    await fleet.until(lambda now: now["policy_hash"] != before)
    await fleet.more_calls(200)


async def _break_policy(prepared: Prepared) -> None:
    fleet = prepared.fleet
    before = (await fleet.readiness())["policy_hash"]
    good = _with_new_client(prepared)

    fleet.mounted.update({"policy.yaml": good.replace("tenant: acme", "tenant: nobody")})

    await fleet.until(lambda now: bool(now["refused_change"]))
    await fleet.more_calls(200)
    assert before == (await fleet.readiness())["policy_hash"]
    fleet.mounted.update({"policy.yaml": good})
    await fleet.until(lambda now: not now["refused_change"])
