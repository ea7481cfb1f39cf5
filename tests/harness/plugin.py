"""A payment gateway that is plugged in, in process: it keeps the contract, and has a knob for all that can go wrong.

What a call does is chosen by the text of its token data field `token`; see `Plugin.behaviours`.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch.v1 import payment_gateway_service_pb2_grpc as gateway_grpc

APPROVED: Final = gateway_pb2.GATEWAY_RESULT_APPROVED
DECLINED: Final = gateway_pb2.GATEWAY_RESULT_DECLINED
FAILED: Final = gateway_pb2.GATEWAY_RESULT_FAILED
NOT_ATTEMPTED: Final = gateway_pb2.GATEWAY_RESULT_NOT_ATTEMPTED
PENDING: Final = gateway_pb2.GATEWAY_RESULT_PENDING
VALIDATE: Final = gateway_pb2.GATEWAY_OPERATION_VALIDATE
PAYMENT: Final = gateway_pb2.GATEWAY_OPERATION_PAYMENT
REFUND: Final = gateway_pb2.GATEWAY_OPERATION_REFUND
TOKEN_FIELD: Final = "token"
_MOVES: Final = {APPROVED, PENDING}
_LIMIT_BYTES: Final = 4 * 1024 * 1024


def as_decimal(money: Any) -> Decimal:
    """Return the value of a google.type.Money."""
    return Decimal(money.units) + Decimal(money.nanos).scaleb(-9)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a call does."""

    result: int = APPROVED
    code: str = "100"
    message: str = "Done."
    token_data_changes: Mapping[str, str] = field(default_factory=dict)
    error_before: grpc.StatusCode | None = None
    """The call ends with this error, and nothing has moved or is known."""
    error_after: grpc.StatusCode | None = None
    """The call ends with this error after its effect: a crash after charging. LookUp knows the truth."""
    delay_s: float = 0.0
    """How long the answer takes after the effect."""
    hold: asyncio.Event | None = None
    """The answer waits for it after the effect; the next call under the key does not."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Money that moved."""

    key: str
    operation: int
    amount: Decimal
    currency: str
    transaction_id: str
    payment_key: str = ""
    """Of the refunded payment; empty for payments."""


class Plugin(gateway_grpc.PaymentGatewayServiceServicer):
    """The servicer, for one event loop.

    Its subclasses in tests/programs/gateways break one rule each, by overriding one of the methods without underscore.

    Args:
        ledger: File in which effects and outcomes outlive the process; None: they live in memory.
    """

    def __init__(self, ledger: Path | None = None) -> None:
        self.behaviours: dict[str, Behaviour] = {}
        """By text of the field `token`."""
        self.default = Behaviour()
        """For all other tokens."""
        self.description = gateway_pb2.DescribeGatewayResponse(
            name="test-gateway",
            version="1",
            operations=[VALIDATE, PAYMENT, REFUND],
            looks_up=True,
            idempotent_for=Duration(seconds=30 * 24 * 3600),
        )
        self.is_healthy = True
        """Whether the health service says SERVING from the next start on."""
        self.effects: list[Effect] = []
        """All money that moved, in order."""
        self.calls: list[tuple[str, Any]] = []
        """Name of the RPC and request of all calls except DescribeGateway, in order."""
        self.called = asyncio.Condition()
        """Notified after each call was received and had its effect."""
        self._known: dict[str, tuple[str, gateway_pb2.GatewayOutcome]] = {}
        self._ledger = ledger
        if ledger is not None and ledger.exists():
            for line in ledger.read_text().splitlines():
                self._restore(json.loads(line))

    # --- what tests read and do ---

    def moved(self, key: str) -> Decimal:
        """Return how much money moved under a key."""
        return sum((effect.amount for effect in self.effects if effect.key == key), Decimal(0))

    def outcome(self, key: str) -> gateway_pb2.GatewayOutcome:
        """Return what was answered under a key."""
        return self._known[key][1]

    def forget(self) -> None:
        """Lose all keys and outcomes; what moved stays moved."""
        self._known.clear()

    def settle(self, key: str, result: int) -> None:
        """Give a pending call its final result, which LookUp says from now on."""
        asked, outcome = self._known[key]
        changed = gateway_pb2.GatewayOutcome()
        changed.CopyFrom(outcome)
        changed.result = result
        self.remember(key, asked, changed)

    async def wait_for_calls(self, count: int) -> None:
        """Wait until there were so many calls and they had their effects."""
        async with self.called:
            await self.called.wait_for(lambda: len(self.calls) >= count)

    # --- the contract, one method for each rule ---

    def known(self, key: str) -> tuple[str, gateway_pb2.GatewayOutcome] | None:
        """Return what was asked for under a key, and the outcome."""
        return self._known.get(key)

    def remember(self, key: str, asked: str, outcome: gateway_pb2.GatewayOutcome) -> None:
        """Record what was asked for under a key, and the outcome."""
        self._known[key] = asked, outcome
        self._write(key=key, asked=asked, outcome=base64.b64encode(outcome.SerializeToString()).decode())

    def move(self, effect: Effect) -> None:
        """Move money."""
        self.effects.append(effect)
        self._write(effect=[str(part) for part in _parts(effect)])

    def amount_of(self, request: Any) -> Decimal:
        """Return the amount of a payment or refund."""
        return Decimal(request.amount) if isinstance(request.amount, str) else as_decimal(request.amount)

    def outcome_of(self, request: Any, behaviour: Behaviour) -> gateway_pb2.GatewayOutcome:
        """Return the outcome of a call under a new key."""
        outcome = gateway_pb2.GatewayOutcome(
            result=behaviour.result,  # type: ignore[arg-type] # a number of the enum
            code=behaviour.code,
            message=behaviour.message,
            transaction_id=f"T{len(self._known) + 1:06}-{request.call.idempotency_key[-8:]}",
        )
        for name, text in behaviour.token_data_changes.items():
            outcome.token_data_changes[name].text = text
        return outcome

    def refusal_of_refund(self, request: Any) -> str:
        """Return why a refund is refused, or nothing."""
        paid = [effect for effect in self.effects if effect.key == request.payment_idempotency_key]
        refunded = [effect for effect in self.effects if effect.payment_key == request.payment_idempotency_key]
        left = sum((effect.amount for effect in paid), Decimal(0)) - sum(effect.amount for effect in refunded)
        if not paid:
            return "The payment is not known."
        return "More than is left of the payment." if self.amount_of(request) > left else ""

    def found(self, request: gateway_pb2.LookUpRequest) -> gateway_pb2.GatewayOutcome | None:
        """Return what LookUp says."""
        known = self.known(request.idempotency_key)
        return None if known is None else known[1]

    # --- the service ---

    async def DescribeGateway(self, *_: Any) -> gateway_pb2.DescribeGatewayResponse:  # noqa: N802 - gRPC's name
        """Describe the gateway."""
        return self.description

    async def ValidatePaymentMethod(self, request: Any, context: Any) -> gateway_pb2.ValidatePaymentMethodResponse:  # noqa: N802 - gRPC's name
        """Check a payment method."""
        return gateway_pb2.ValidatePaymentMethodResponse(outcome=await self._once(request, context))

    async def ProcessPayment(self, request: Any, context: Any) -> gateway_pb2.ProcessPaymentResponse:  # noqa: N802 - gRPC's name
        """Collect a payment."""
        return gateway_pb2.ProcessPaymentResponse(outcome=await self._once(request, context))

    async def ProcessRefund(self, request: Any, context: Any) -> gateway_pb2.ProcessRefundResponse:  # noqa: N802 - gRPC's name
        """Refund a payment."""
        return gateway_pb2.ProcessRefundResponse(outcome=await self._once(request, context))

    async def LookUp(self, request: Any, *_: Any) -> gateway_pb2.LookUpResponse:  # noqa: N802 - gRPC's name
        """Look up the outcome of a key."""
        await self._note("LookUp", request)
        return gateway_pb2.LookUpResponse(outcome=self.found(request))

    async def _once(self, request: Any, context: Any) -> gateway_pb2.GatewayOutcome:
        """Return the outcome of a key; nothing is awaited between finding the key unknown and recording its effect."""
        key, asked = request.call.idempotency_key, _asked(request)
        behaviour = self.behaviours.get(request.call.method.token_data[TOKEN_FIELD].text, self.default)
        known = self.known(key)
        if known is None and behaviour.error_before is None:
            outcome = self._execute(request, behaviour)
            self.remember(key, asked, outcome)
        await self._note(type(request).__name__.removesuffix("Request"), request)
        if known is not None:
            if known[0] != asked:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The key was used for another request.")
            return known[1]
        if code := behaviour.error_before or behaviour.error_after:
            await context.abort(code, "The gateway failed.")
        await asyncio.sleep(behaviour.delay_s)
        if behaviour.hold is not None:
            await behaviour.hold.wait()
        return outcome

    def _execute(self, request: Any, behaviour: Behaviour) -> gateway_pb2.GatewayOutcome:
        if isinstance(request, gateway_pb2.ProcessRefundRequest) and (refusal := self.refusal_of_refund(request)):
            behaviour = replace(behaviour, result=DECLINED, code="refused", message=refusal)
        outcome = self.outcome_of(request, behaviour)
        if outcome.result in _MOVES and not isinstance(request, gateway_pb2.ValidatePaymentMethodRequest):
            self.move(self._effect_of(request, outcome))
        return outcome

    def _effect_of(self, request: Any, outcome: gateway_pb2.GatewayOutcome) -> Effect:
        key, payment_key = request.call.idempotency_key, ""
        if isinstance(request, gateway_pb2.ProcessRefundRequest):
            payment_key = request.payment_idempotency_key
            currency = next(effect.currency for effect in self.effects if effect.key == payment_key)
            operation = REFUND
        else:
            currency, operation = request.amount.currency_code, PAYMENT
        return Effect(key, operation, self.amount_of(request), currency, outcome.transaction_id, payment_key)

    async def _note(self, name: str, request: Message) -> None:
        async with self.called:
            self.calls.append((name, request))
            self.called.notify_all()

    def _write(self, **members: Any) -> None:
        if self._ledger is not None:
            with self._ledger.open("a") as file:
                file.write(json.dumps(members) + "\n")

    def _restore(self, members: Any) -> None:
        if "effect" in members:
            key, operation, amount, *texts = members["effect"]
            self.effects.append(Effect(key, int(operation), Decimal(amount), *texts))
        else:
            outcome = gateway_pb2.GatewayOutcome.FromString(base64.b64decode(members["outcome"]))
            self._known[members["key"]] = members["asked"], outcome


def _parts(effect: Effect) -> tuple[object, ...]:
    return (
        effect.key,
        effect.operation,
        effect.amount,
        effect.currency,
        effect.transaction_id,
        effect.payment_key,
    )


def _asked(request: Any) -> str:
    """Return what may not differ between the calls of a key."""
    if isinstance(request, gateway_pb2.ValidatePaymentMethodRequest):
        return f"validate {request.auth_amount.currency_code} {as_decimal(request.auth_amount)}"
    if isinstance(request, gateway_pb2.ProcessRefundRequest):
        return f"refund {Decimal(request.amount).normalize()} of {request.payment_idempotency_key}"
    return f"payment {request.amount.currency_code} {as_decimal(request.amount)}"


class RunningPlugin:
    """A plug-in at a port of loopback, which keeps its port while it is down."""

    def __init__(self, plugin: Plugin, credentials: grpc.ServerCredentials | None) -> None:
        self.plugin = plugin
        self.port = 0
        self.health = health.aio.HealthServicer()
        self._credentials = credentials
        self._server: grpc.aio.Server | None = None

    @property
    def target(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen, at the port it had before if there was one."""
        options = [("grpc.max_receive_message_length", _LIMIT_BYTES), ("grpc.so_reuseport", 0)]
        self._server = grpc.aio.server(options=options)
        gateway_grpc.add_PaymentGatewayServiceServicer_to_server(self.plugin, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        status = health_pb2.HealthCheckResponse
        await self.health.set("", status.SERVING if self.plugin.is_healthy else status.NOT_SERVING)
        if self._credentials is None:
            self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        else:
            self.port = self._server.add_secure_port(f"127.0.0.1:{self.port}", self._credentials)
        await self._server.start()

    async def stop(self) -> None:
        """End all calls without an answer and stop listening. What the plug-in knows stays known."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None


@asynccontextmanager
async def running_plugin(
    plugin: Plugin | None = None, *, credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[RunningPlugin]:
    """Run a plug-in in this event loop; yield it.

    Args:
        plugin: What answers; one that approves everything unless given.
        credentials: TLS; None: plaintext.
    """
    running = RunningPlugin(plugin or Plugin(), credentials)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()
