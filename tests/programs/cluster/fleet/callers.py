"""The callers of a fleet: the published client in three configurations, and a caller that writes JSON."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import aiohttp
import payorch
import payorch.aio
from google.protobuf.json_format import MessageToDict  # noqa: TID251 - requests in the JSON that callers would write
from google.protobuf.message import Message
from payorch.async_sender import AsyncTokenSource
from payorch.v1 import call_pb2

from programs.cluster.fleet import names
from programs.cluster.fleet.materials import Materials

DEADLINE_S: Final = 20.0
_PATH: Final = "/payorch.v1.PaymentOrchestrationService"
_RESEND: Final = "ADVICE_RESEND_SAME_REQUEST_ID"
_DENIALS: Final = frozenset({"OUTCOME_NOT_SENT", "OUTCOME_REFUSED"})
_NO_HEALTH: Final = (("grpc.inhibit_health_checking", 1),)
"""A channel option: ignore the health check of the service config, as clients without support for it do."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What exists at Zuora according to an answer."""

    session_token: str = ""
    payment_method_id: str = ""
    payment_id: str = ""


class FailedError(Exception):
    """A call failed; the text names its status code and reason."""

    def __init__(self, text: str, *, advice: str, outcome: str) -> None:
        super().__init__(text)
        self.resend = advice == _RESEND
        self.denial = outcome if outcome in _DENIALS else ""
        """The outcome, if it says that nothing was executed."""


class Caller(Protocol):
    """Sends requests."""

    kind: str
    namespace: str

    async def send(self, method: str, request: Message) -> Effect:
        """Send a request, and resend it as this kind of caller does.

        Raises:
            FailedError: The call failed.
        """

    async def close(self) -> None:
        """Close its connections."""


@dataclass(frozen=True, slots=True)
class ClientCaller:
    """The published client."""

    kind: str
    namespace: str
    client: payorch.aio.AsyncClient

    async def send(self, method: str, request: Message) -> Effect:
        """Send with the client's own resends."""
        call: Any = {
            "CreateSession": self.client.create_session,
            "CreatePaymentMethod": self.client.create_payment_method,
            "DecryptApplePay": self.client.decrypt_apple_pay,
        }[method]
        try:
            return _effect(await call(request))
        except payorch.PayorchError as failed:
            error = failed.error
            raise FailedError(
                " ".join(
                    (error.code.name, error.reason or error.message, *(broken.field for broken in error.violations))
                ),
                advice=call_pb2.Advice.Name(error.advice),
                outcome=call_pb2.Outcome.Name(error.outcome),
            ) from failed

    async def close(self) -> None:
        """Close its connections."""
        await self.client.close()


@dataclass(slots=True)
class JsonCaller:
    """A service without gRPC, which writes JSON to Envoy."""

    kind: str
    namespace: str
    folder: Path
    _session: aiohttp.ClientSession | None = None

    async def send(self, method: str, request: Message) -> Effect:
        """Send once."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                f"https://{names.ENVOY}:{names.ENVOY_PORT}",
                connector=aiohttp.TCPConnector(ssl=_tls_context(self.folder)),
                timeout=aiohttp.ClientTimeout(total=DEADLINE_S),
            )
        headers = {"grpc-timeout": f"{DEADLINE_S:.0f}S"}
        try:
            async with self._session.post(f"{_PATH}/{method}", json=MessageToDict(request), headers=headers) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise FailedError(f"{type(error).__name__}", advice=_RESEND, outcome="") from error
        if answer.status == 200:
            return _effect_of_json(json.loads(text))
        outcome = _outcome_in(text)
        # Without a CallOutcome the outcome is unknown, and the same request is sent again.
        raise FailedError(
            f"{answer.status} {text[:120]}", advice=outcome.get("advice", _RESEND), outcome=outcome.get("outcome", "")
        )

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()


def connected(kind: str, materials: Materials, *, watching: bool, target: str, token: bool) -> ClientCaller:
    """Return a caller with the published client; its first call connects.

    Args:
        kind: Its name in tables.
        materials: Its certificate, and the keys that sign its tokens.
        watching: Whether it watches health.
        target: Host and port.
        token: Whether it sends a token, which then identifies it in place of its certificate.
    """
    folder = materials.folder
    client = payorch.aio.connect(
        target,
        tls=payorch.Tls.from_files(
            ca_file=str(folder / "ca.crt"),
            certificate_file=str(folder / "shop.pem"),
            key_file=str(folder / "shop.key"),
        ),
        token=_token_of(materials) if token else None,
        options=() if watching else _NO_HEALTH,
    )
    return ClientCaller(kind, "batch" if token else "shop", client)


def _token_of(materials: Materials) -> AsyncTokenSource:
    cached: dict[str, tuple[int, str]] = {}

    async def token(refresh: bool) -> str:  # noqa: FBT001 - the client's own signature
        issuers = len(materials.issuers)
        if refresh or cached.get("token", (0, ""))[0] != issuers:
            cached["token"] = issuers, materials.token()
        return cached["token"][1]

    return token


def _tls_context(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.load_cert_chain(folder / "shop.pem", folder / "shop.key")
    return context


def _effect(answer: Any) -> Effect:
    if answer.DESCRIPTOR.name == "CreateSessionResponse":
        return Effect(session_token=answer.session.token)
    if answer.DESCRIPTOR.name == "CreatePaymentMethodResponse":
        return Effect(payment_method_id=answer.payment_method.id)
    return Effect(payment_method_id=answer.payment_method_id, payment_id=answer.payment_id)


def _effect_of_json(answer: Mapping[str, Any]) -> Effect:
    return Effect(
        session_token=answer.get("session", {}).get("token", ""),
        payment_method_id=answer.get("paymentMethodId", "") or answer.get("paymentMethod", {}).get("id", ""),
        payment_id=answer.get("paymentId", ""),
    )


def _outcome_in(text: str) -> dict[str, str]:
    try:
        details = json.loads(text)["details"]
    except (ValueError, KeyError, TypeError):
        return {}
    return next((found for found in details if found.get("@type", "").endswith("CallOutcome")), {})
