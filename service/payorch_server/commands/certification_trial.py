"""One case of a certification while it runs: what was sent, what came, and what was wrong with it."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch.v1 import payment_gateway_service_pb2_grpc as gateway_grpc

from payorch_server.commands.certification_inputs import APPROVE
from payorch_server.commands.certification_options import CertificationOptions
from payorch_server.commands.certification_requests import (
    REFUND,
    ProcessRequest,
    RequestFactory,
    again,
    operation_of,
)
from payorch_server.model.money import EXPONENTS
from payorch_server.runtime.clock import SystemClock

APPROVED: Final = gateway_pb2.GATEWAY_RESULT_APPROVED
DECLINED: Final = gateway_pb2.GATEWAY_RESULT_DECLINED
FAILED: Final = gateway_pb2.GATEWAY_RESULT_FAILED
NOT_ATTEMPTED: Final = gateway_pb2.GATEWAY_RESULT_NOT_ATTEMPTED
FINAL_RESULTS: Final = frozenset({APPROVED, DECLINED, FAILED, NOT_ATTEMPTED})
"""Results that do not change any more."""
_POLL_S: Final = 0.1
_MOST_SHOWN_CHARACTERS: Final = 120


class NotRunError(Exception):
    """A case cannot be run; the text says why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a call: an outcome, a gRPC error, or neither."""

    outcome: gateway_pb2.GatewayOutcome | None = None
    error: str = ""
    """Name of the gRPC status code."""
    details: str = ""
    """Text of the gRPC error."""

    @property
    def result(self) -> int | None:
        """Return the result; None for an error or an absent outcome."""
        return None if self.outcome is None else self.outcome.result

    @property
    def facts(self) -> tuple[object, ...]:
        """Return what is the same in every answer under a key."""
        said = self.outcome or gateway_pb2.GatewayOutcome()
        return self.error, self.result, said.code, said.transaction_id, said.second_transaction_id

    def __str__(self) -> str:
        if self.error:
            return f"gRPC error {self.error}" + (f" ({_shown(self.details)})" if self.details else "")
        if self.outcome is None:
            return "no outcome"
        said = self.outcome
        texts = {"code": said.code, "id": said.transaction_id, "second id": said.second_transaction_id}
        listed = [f"{name} {_shown(text)}" for name, text in (texts | {"message": said.message}).items() if text]
        return ", ".join([result_name(said.result), *listed])


@dataclass(frozen=True, slots=True)
class Step:
    """What was sent and what came, for the report."""

    sent: str
    came: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call under a key and what came of it."""

    request: ProcessRequest
    reply: Reply


@dataclass(slots=True)
class Conversation:
    """The plug-in, and everything that was said so far."""

    channel: grpc.Channel
    options: CertificationOptions
    make: RequestFactory
    description: gateway_pb2.DescribeGatewayResponse
    restart: Callable[[], None] | None = None
    """Restarts the plug-in and returns when it is back; None: no command was named."""
    exchanges: list[Exchange] = field(default_factory=list)
    look_ups: list[Exchange] = field(default_factory=list)
    """What LookUp said, each with a call under the key."""
    unpaid: str = ""
    """Why payments with the fields of `approve` are not approved; empty while they are."""

    @property
    def refunds(self) -> bool:
        """Whether the gateway refunds."""
        return REFUND in self.description.operations


class Trial:
    """A case while it runs."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.steps: list[Step] = []
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._stub = gateway_grpc.PaymentGatewayServiceStub(conversation.channel)

    @property
    def make(self) -> RequestFactory:
        """Makes requests."""
        return self.conversation.make

    # --- calls ---

    def call(self, request: ProcessRequest, note: str = "", *, timeout_s: float | None = None) -> Reply:
        """Make a call and wait for its reply.

        Args:
            request: What is sent.
            note: What is special about it, for the report.
            timeout_s: Its deadline; the usual one unless given.
        """
        return self.finish(request, self.start(request, timeout_s=timeout_s), note)

    def start(self, request: ProcessRequest, *, timeout_s: float | None = None) -> Any:
        """Make a call; `finish` returns its reply."""
        rpc = getattr(self._stub, type(request).DESCRIPTOR.name.removesuffix("Request"))
        return rpc.future(request, timeout=timeout_s or self.conversation.options.answer_s)

    def finish(self, request: ProcessRequest, call: Any, note: str = "") -> Reply:
        """Return the reply of a call that was started."""
        reply = self._reply(request, call)
        self.note(", ".join(filter(None, (_described(request), note))), str(reply))
        return reply

    def call_at_once(self, requests: Sequence[ProcessRequest], note: str) -> list[Reply]:
        """Make calls that overlap; return their replies in order."""
        calls = [self.start(request) for request in requests]
        replies = [self._reply(request, call) for request, call in zip(requests, calls, strict=True)]
        kinds = Counter(reply.error or result_name(reply.result or 0) for reply in replies)
        came = ", ".join(f"{count} times {kind}" for kind, count in kinds.items())
        self.note(f"{len(requests)} at once: {_described(requests[0])}, {note}", came)
        return replies

    def note(self, sent: str, came: str) -> None:
        """Add a step to the report."""
        self.steps.append(Step(sent, came))

    def look_up(self, request: ProcessRequest, *, quiet: bool = False) -> Reply:
        """Look up what became of the calls under a request's key.

        Args:
            request: One of the calls.
            quiet: Whether the report leaves it out.
        """
        asked = gateway_pb2.LookUpRequest(idempotency_key=request.call.idempotency_key, operation=operation_of(request))
        reply = _reply_to(self._stub.LookUp.future(asked, timeout=self.conversation.options.answer_s))
        self.conversation.look_ups.append(Exchange(request, reply))
        if not quiet:
            self.note(f"LookUp {_short(request)}", str(reply))
        return reply

    def _reply(self, request: ProcessRequest, call: Any) -> Reply:
        reply = _reply_to(call)
        self.conversation.exchanges.append(Exchange(request, reply))
        return reply

    # --- what is expected ---

    def expect(self, is_right: bool, problem: str) -> bool:  # noqa: FBT001 - reads like an assertion
        """Note a problem unless something is right; return whether it is."""
        if not is_right:
            self.problems.append(problem)
        return is_right

    def expect_result(self, reply: Reply, *results: int, of: str) -> bool:
        """Note a problem unless a reply has one of these results; return whether it has."""
        wanted = " or ".join(map(result_name, results))
        return self.expect(reply.result in results, f"{of}: {reply}, not {wanted}")

    def expect_not_approved(self, reply: Reply, *, of: str) -> bool:
        """Note a problem if a reply says, or leaves open, that it was done."""
        return self.expect(
            bool(reply.error) or reply.result in FINAL_RESULTS - {APPROVED},
            f"{of}: {reply}, but it must not be approved",
        )

    def expect_same(self, first: Reply, later: Reply, *, of: str) -> bool:
        """Note a problem unless a reply says what the first one said."""
        return self.expect(later.facts == first.facts, f"{of}: {later}, but the first answer was {first}")

    def paid(self, note: str = "") -> tuple[gateway_pb2.ProcessPaymentRequest, Reply]:
        """Return a payment that was approved, which a case begins with.

        Raises:
            NotRunError: It was not approved, now or in an earlier case.
        """
        if self.conversation.unpaid:
            raise NotRunError(self.conversation.unpaid)
        request = self.make.payment()
        reply = self.call(request, note)
        if reply.result != APPROVED:
            self.conversation.unpaid = f"no payment with the fields of {APPROVE} is approved: {reply}"
            raise NotRunError(self.conversation.unpaid)
        return request, reply

    def expect_one_effect(self, paid: gateway_pb2.ProcessPaymentRequest) -> None:
        """Note a problem unless exactly the amount of a payment can be refunded."""
        if not self.conversation.refunds:
            return
        amount = amount_of(paid)
        whole = self.call(self.make.refund(paid, amount), "the whole payment")
        self.expect_result(whole, APPROVED, of="the refund of the whole payment")
        more = self.call(self.make.refund(paid, smallest(paid)), "the smallest amount more")
        self.expect_not_approved(more, of="a refund of more than was paid")

    def expect_truth(self, request: gateway_pb2.ProcessPaymentRequest, *, repeat: bool = True) -> None:
        """Note a problem unless LookUp, and a resend, agree on what became of a call without an answer."""
        known = self._settled(request)
        if known is not None:
            self.note(f"LookUp {_short(request)} until it is known", str(known))
            if known == Reply():
                self._expect_nothing_moved(request)
            elif not self.expect(known.result in FINAL_RESULTS, f"LookUp, after waiting: {known}"):
                return
        if not repeat:
            return
        later = self.call(again(request), "the same key again")
        if known is not None and known.outcome is not None:
            self.expect_same(known, later, of="the same key again, against LookUp")
        elif self.expect(later.result in FINAL_RESULTS, f"the same key again: {later}") and known is not None:
            self.expect_same(later, self.look_up(request), of="LookUp after the same key again")
        if later.result == APPROVED and not self.problems:
            self.expect_one_effect(request)

    def wait_until_known(self, request: ProcessRequest, *, within_s: float) -> Reply:
        """Wait until LookUp has heard of a key, and return what it says; without LookUp as long as that may take."""
        clock = SystemClock()
        until_s, reply = clock.monotonic() + within_s, Reply()
        while clock.monotonic() < until_s and reply == Reply():
            time.sleep(_POLL_S)
            if self.conversation.description.looks_up:
                reply = self.look_up(request, quiet=True)
        return reply

    def _expect_nothing_moved(self, request: gateway_pb2.ProcessPaymentRequest) -> None:
        if self.conversation.refunds:
            probe = self.call(self.make.refund(request, smallest(request)), "of a payment that LookUp does not know")
            self.expect(
                probe.result != APPROVED,
                "LookUp does not know the key, but a refund of the payment was approved: money moved",
            )

    def _settled(self, request: ProcessRequest) -> Reply | None:
        """Ask LookUp until it knows the end, as long as that may take; None where it is not implemented."""
        if not self.conversation.description.looks_up:
            return None
        clock = SystemClock()
        until_s = clock.monotonic() + self.conversation.options.settle_s
        while True:
            reply = self.look_up(request, quiet=True)
            if reply.result in FINAL_RESULTS or clock.monotonic() >= until_s:
                return reply
            time.sleep(_POLL_S)


def amount_of(request: gateway_pb2.ProcessPaymentRequest) -> Decimal:
    """Return the amount of a payment."""
    exact = Decimal(request.amount.units) + Decimal(request.amount.nanos).scaleb(-9)
    return exact.quantize(smallest(request))


def smallest(request: gateway_pb2.ProcessPaymentRequest) -> Decimal:
    """Return the smallest amount in the currency of a payment."""
    return Decimal(1).scaleb(-EXPONENTS[request.amount.currency_code])


def result_name(number: int) -> str:
    """Return the name of a result, or its number."""
    names: dict[int, str] = {value: name for name, value in gateway_pb2.GatewayResult.items()}
    return names.get(number, str(number)).removeprefix("GATEWAY_RESULT_")


def different(replies: Iterable[Reply]) -> list[Reply]:
    """Return one reply of each kind."""
    return list({reply.facts: reply for reply in replies}.values())


def _reply_to(call: Any) -> Reply:
    try:
        response: Message = call.result()
    except grpc.RpcError as error:
        return Reply(error=error.code().name, details=error.details() or "")
    return Reply(response.outcome if response.HasField("outcome") else None)  # type: ignore[attr-defined] # all have it


def _described(request: ProcessRequest) -> str:
    name = type(request).DESCRIPTOR.name.removesuffix("Request")
    if isinstance(request, gateway_pb2.ProcessPaymentRequest):
        return f"{name} {amount_of(request)} {request.amount.currency_code} {_short(request)}"
    if isinstance(request, gateway_pb2.ProcessRefundRequest):
        return f"{name} {request.amount} {_short(request)}"
    return f"{name} {_short(request)}"


def _short(request: ProcessRequest) -> str:
    return f"key {request.call.idempotency_key[:13]}..."


def _shown(text: str) -> str:
    """Return a text of the plug-in in printable form; it may hold anything."""
    cut = text if len(text) <= _MOST_SHOWN_CHARACTERS else f"{text[:_MOST_SHOWN_CHARACTERS]}..."
    return repr(cut)
