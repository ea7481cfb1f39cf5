"""Tokens of issuers whose keys are fetched, over real sockets: rotation, outages, and storms of unknown keys."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import jwt
import pytest
from harness.authority import AUDIENCE, Issuer, public_pem
from harness.calls import refusal
from harness.issuer_server import DISCOVERY, KEYS, IssuerServer, http_answer, issuer_server
from harness.requests import session_request
from harness.stack import LocalStack, running
from payorch import CallError
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.access.fetched_keys import MIN_INTERVAL_S
from payorch_server.rpc.interceptors import authn
from payorch_server.runtime.clock import SystemClock
from structlog.testing import capture_logs

OLD, NEW, FORGER = Issuer(kid="old"), Issuer("RS256", kid="new"), Issuer(kid="forged")


class PassingClock(SystemClock):
    """The machine's clock, on which a test lets time pass."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return super().monotonic() + self.passed.total_seconds()

    def pass_interval(self) -> None:
        """Let so much time pass that an unknown key may cause a fetch again."""
        self.passed += timedelta(seconds=MIN_INTERVAL_S + 1)


def access_of(*callers: str) -> dict[str, Any]:
    """Return a policy that lets callers do what costs nothing."""
    rights = {"namespace": "shop", "rpcs": ["*"], "tenants": {"*": {"entities": ["*"], "orgs": ["*"]}}}
    return {"callers": [{"caller": caller, **rights} for caller in callers]}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for keys as long as the calls have time, because a busy machine may need more than the usual wait."""
    monkeypatch.setattr(authn, "KEY_WAIT_S", 15.0)


@asynccontextmanager
async def served(
    server: IssuerServer, folder: Path, clock: SystemClock | None = None, **issuer: Any
) -> AsyncIterator[tuple[LocalStack, "Callable[[str], Any]"]]:
    """Serve callers of an issuer whose keys are found by discovery; yield the service, and what calls with a token."""
    jwt_settings = {
        "issuer": server.url, "audience": AUDIENCE, "discovery": True, "ca_file": str(folder / "issuer-ca.pem"),
    }  # fmt: skip
    over = {"identity": {"jwt": {"corp": jwt_settings | issuer}}, "access": access_of("jwt:checkout")}
    async with running(over=over, clock=clock) as stack, grpc.aio.insecure_channel(stack.target) as channel:
        stub: Any = service_grpc.PaymentOrchestrationServiceStub(channel)

        def call(token: str, timeout_s: float = 15.0) -> Any:
            request = session_request("")
            request.validate_only = True
            return stub.CreateSession(request, timeout=timeout_s, metadata=(("authorization", f"Bearer {token}"),))

        yield stack, call


def token_of(issuer: Issuer, server: IssuerServer, **other: Any) -> str:
    """Return a token that the server's issuer issued."""
    return issuer.token(iss=server.url, **other)


def told(error: CallError) -> tuple[Any, ...]:
    """Return what a caller acts on."""
    return error.code.name, error.reason, call_pb2.Outcome.Name(error.outcome), call_pb2.Advice.Name(error.advice)


UNAVAILABLE = ("UNAVAILABLE", "CALLER_KEYS_UNAVAILABLE", "OUTCOME_NOT_SENT", "ADVICE_RESEND_SAME_REQUEST_ID")
REFUSED = ("UNAUTHENTICATED", "CALLER_UNAUTHENTICATED", "OUTCOME_NOT_SENT", "ADVICE_RESEND_SAME_REQUEST_ID")


@pytest.mark.asyncio
class TestRotation:
    """An issuer signs with another key."""

    async def test_is_noticed_by_the_first_token(self, tmp_path: Path) -> None:
        """Without a restart, and without a failed call; the withdrawn key counts no longer."""
        clock = PassingClock()
        async with issuer_server(tmp_path) as server:
            server.publish(OLD)
            async with served(server, tmp_path, clock) as (_, call):
                await call(token_of(OLD, server))
                server.publish(NEW)
                clock.pass_interval()

                await call(token_of(NEW, server))
                error = await refusal(call(token_of(OLD, server)))

        assert REFUSED == told(error)
        assert {"credential": "authorization", "rule": "key"} == error.metadata

    async def test_costs_one_fetch_however_many_calls_come(self, tmp_path: Path) -> None:
        """They wait for the same; and invented keys cause none soon after."""
        clock = PassingClock()
        async with issuer_server(tmp_path) as server:
            server.publish(OLD)
            async with served(server, tmp_path, clock) as (_, call):
                await call(token_of(OLD, server))
                server.publish(NEW)
                server.held, before = asyncio.Event(), server.asked_for(KEYS)
                clock.pass_interval()
                server.asked.clear()
                good = [asyncio.ensure_future(call(token_of(NEW, server))) for _ in range(30)]
                forged = [asyncio.ensure_future(refusal(call(token_of(FORGER, server)))) for _ in range(30)]
                await server.asked.wait()
                server.held.set()
                await asyncio.gather(*good)
                errors = await asyncio.gather(*forged)
                errors += [await refusal(call(token_of(FORGER, server))) for _ in range(10)]

        assert {REFUSED} == {told(error) for error in errors}
        assert 1 == server.asked_for(KEYS) - before


@pytest.mark.asyncio
class TestOutage:
    """The issuer's server is away."""

    async def test_leaves_callers_whose_keys_are_known(self, tmp_path: Path) -> None:
        """Of an unknown key nothing is said but that it cannot be checked."""
        clock = PassingClock()
        async with issuer_server(tmp_path) as server:
            server.publish(OLD)
            async with served(server, tmp_path, clock) as (stack, call):
                await call(token_of(OLD, server))
                server.answers[DISCOVERY] = http_answer(b"", status="503 Away")
                clock.pass_interval()
                with capture_logs() as logs:
                    error = await refusal(call(token_of(NEW, server)))
                await call(token_of(OLD, server))
                async with httpx.AsyncClient() as http:
                    metrics = (await http.get(f"{stack.admin_url}/metrics")).text

        assert UNAVAILABLE == told(error)
        assert {"credential": "authorization", "issuer": "corp"} == error.metadata
        (audit,) = [line for line in logs if line["event"] == "access"]
        assert ("denied", "identity", "keys of the issuer corp") == (
            audit["decision"], audit["right"], audit["needed"]
        )  # fmt: skip
        (failed,) = [line for line in logs if line["event"] == "issuer_keys_not_fetched"]
        assert "status 503" in failed["detail"]
        (usable,) = re.findall(r'payorch_issuer_keys_usable\{issuer="corp"[^}]*\} (\S+)', metrics)
        (age_s,) = re.findall(r'payorch_issuer_key_age_seconds\{issuer="corp"[^}]*\} (\S+)', metrics)
        assert 1.0 == float(usable)
        assert MIN_INTERVAL_S <= float(age_s)

    async def test_at_the_start_keeps_the_service_from_being_ready(self, tmp_path: Path) -> None:
        """Callers are answered all the same; when the issuer is back, the first token brings the keys."""
        clock = PassingClock()
        async with (
            issuer_server(tmp_path) as server,
            served(server, tmp_path, clock) as (stack, call),
            httpx.AsyncClient() as http,
        ):
            error = await refusal(call(token_of(OLD, server)))
            before = await http.get(f"{stack.admin_url}/readyz")
            server.publish(OLD)
            clock.pass_interval()
            await call(token_of(OLD, server))
            while not stack.application.components.health.states["acme"]:
                await asyncio.sleep(0)
            after = await http.get(f"{stack.admin_url}/readyz")

        assert UNAVAILABLE == told(error)
        assert (503, {"corp": None}) == (before.status_code, before.json()["issuer_key_ages_s"])
        assert 200 == after.status_code
        assert after.json()["issuer_key_ages_s"]["corp"] >= 0

    async def test_at_the_start_keeps_no_other_caller_waiting(self, tmp_path: Path) -> None:
        """A service with another way to identify callers becomes ready."""
        async with issuer_server(tmp_path) as server:
            over = {"issuer": server.url, "audience": AUDIENCE, "key_set_url": f"{server.url}{KEYS}"}
            policy = access_of("jwt:checkout", "anonymous")
            async with running(over={"identity": {"jwt": {"corp": over}}, "access": policy}) as stack:
                while not stack.application.components.health.states["acme"]:
                    await asyncio.sleep(0)
                ages_s = stack.application.components.issuer_keys.ages_s()

        assert {"corp": None} == ages_s

    async def test_ends_within_the_deadline_of_the_call(self, tmp_path: Path) -> None:
        """The caller sees why, before its own time is up."""
        async with issuer_server(tmp_path) as server:
            server.stalled = True
            async with served(server, tmp_path) as (_, call):
                error = await refusal(call(token_of(OLD, server), timeout_s=0.6))

        assert UNAVAILABLE == told(error)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "forgery", ["hmac of the public key", "none", "key of another algorithm", "own key, known kid"]
)
async def test_a_token_never_chooses_its_algorithm(tmp_path: Path, forgery: str) -> None:
    """Nor does a fetched key verify what another made."""
    async with issuer_server(tmp_path) as server:
        server.publish(OLD, NEW)
        async with served(server, tmp_path) as (_, call):
            good = token_of(NEW, server)
            await call(good)
            content = good.split(".")[1] + "=="
            claims = json.loads(jwt.utils.base64url_decode(content))
            forged = {
                "hmac of the public key": lambda: hmac_token(claims, public_pem(NEW.key)),
                "none": lambda: jwt.encode(claims, None, algorithm="none", headers={"kid": "new"}),
                "key of another algorithm": lambda: token_of(OLD, server, header={"kid": "new"}),
                "own key, known kid": lambda: token_of(FORGER, server, header={"kid": "old"}),
            }[forgery]()
            error = await refusal(call(forged))

    assert REFUSED == told(error)


def hmac_token(claims: dict[str, Any], secret: bytes) -> str:
    """Return a token that is signed with a public key as if it were a secret."""
    from jwt.algorithms import HMACAlgorithm  # noqa: PLC0415 - whose own check would refuse such a secret

    head, body = (
        jwt.utils.base64url_encode(json.dumps(part).encode())
        for part in ({"alg": "HS256", "typ": "JWT", "kid": "new"}, claims)
    )
    signed = head + b"." + body
    signature = HMACAlgorithm(HMACAlgorithm.SHA256).sign(signed, secret)
    return (signed + b"." + jwt.utils.base64url_encode(signature)).decode()
