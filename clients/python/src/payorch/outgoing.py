"""What every call gets before it is sent, whether a thread or a task waits for it."""

import logging
import math
import re
from dataclasses import dataclass, field
from typing import Any, Final, Generic

from payorch.call_error import CallError
from payorch.errors import ERRORS_URL, PayorchError, exception_of
from payorch.identifiers import current_track_id, new_request_id
from payorch.resend import Budget, Next, Resend, ResendLoop
from payorch.rpcs import Answer, Request, Rpc
from payorch.timing import SYSTEM, Timing
from payorch.v1 import diagnostics_service_pb2
from payorch.v1 import payment_orchestration_service_pb2 as pb

try:
    from opentelemetry import propagate
except ImportError:  # The extra `tracing` brings it; without it calls carry no trace context.
    propagate = None  # type: ignore[assignment] # the module is optional

DEADLINE_S: Final = 20.0
"""Of a call that is sent once and is given none; the service ends no call later than after 55 s."""
Metadata = tuple[tuple[str, str], ...]
_LOG: Final = logging.getLogger("payorch")
_TOKEN_FORM: Final = re.compile(r"[!-~]+", re.ASCII)
_PAYMENT_WITHOUT_ID: Final = (
    "request_id: it is required, because the request pays an invoice. An id made by the client would differ in each "
    "call, so a retry around the call would charge twice. Store new_request_id() with the order, and set it."
)


@dataclass(frozen=True, slots=True)
class CallSettings:
    """What holds for every call of a client."""

    can_refresh: bool
    """Whether there is a supplier of tokens."""
    resend: Resend | None
    budget: Budget
    errors_url: str = ERRORS_URL
    timing: Timing = SYSTEM

    def outgoing(
        self, rpc: Rpc[Request, Answer], request: Request, deadline_s: float | None
    ) -> "OutgoingCall[Request]":
        """Return a call, ready to be sent.

        Args:
            rpc: What is called.
            request: What is sent; it is copied and never changed.
            deadline_s: From now, for all attempts; None: that of the resends, or the default.

        Raises:
            TypeError: The request is of another type.
            ValueError: It lacks the request id that it needs, or the deadline is not a positive number.
        """
        if not isinstance(request, rpc.request):
            raise TypeError(f"request: a {rpc.request.__name__} is needed, not a {type(request).__name__}")
        usual_s = self.resend.within_s if self.resend else DEADLINE_S
        lasts_s = usual_s if deadline_s is None else deadline_s
        if not (math.isfinite(lasts_s) and lasts_s > 0):
            raise ValueError(f"deadline_s: {lasts_s} is not a positive number of seconds")
        sent = rpc.request()
        sent.CopyFrom(request)
        loop = ResendLoop(
            policy=self.resend,
            budget=self.budget,
            timing=self.timing,
            deadline_s=self.timing.monotonic_s() + lasts_s,
            can_refresh=self.can_refresh,
        )
        return OutgoingCall(rpc.name, sent, _named(sent), loop, self.errors_url)


@dataclass(frozen=True, slots=True)
class OutgoingCall(Generic[Request]):
    """A call with its attempts."""

    rpc: str
    request: Request = field(repr=False)
    request_id: str
    """Of the intent; empty where the RPC has none."""
    loop: ResendLoop
    errors_url: str

    def metadata(self, token: str) -> Metadata:
        """Return what goes along with an attempt."""
        carried: dict[str, str] = {}
        if propagate is not None:
            propagate.inject(carried)
        ours = {"zuora-track-id": current_track_id(), "authorization": f"Bearer {token}" if token else ""}
        return tuple((key, value) for key, value in {**carried, **ours}.items() if value)

    def after(self, error: CallError) -> tuple[Next, float]:
        """Return what follows an attempt that failed, and after how many seconds."""
        following, wait_s = self.loop.after(error)
        if following is not Next.END:
            _LOG.info(
                "%s is sent again in %.3f s after %s; request id %s, Track-Id %s",
                self.rpc,
                wait_s,
                error.reason or error.code.name,
                self.request_id,
                error.track_id,
            )
        return following, wait_s

    def succeeded(self, answer: Any) -> None:
        """Note a success, and name the request id in the answer where an older service does not."""
        self.loop.budget.succeeded()
        if self.request_id and "call" in answer.DESCRIPTOR.fields_by_name and not answer.call.request_id:
            answer.call.request_id = self.request_id

    def exception(self) -> PayorchError:
        """Return the exception for how the attempts ended."""
        return exception_of(self.loop.raised(), self.request_id, tuple(self.loop.attempts), self.errors_url)


def checked_token(token: str) -> str:
    """Return a token that can be sent as it is.

    Raises:
        ValueError: It cannot; the token is not shown.
    """
    if token.strip() != token:
        raise ValueError("token: it begins or ends with a blank or a line break; strip it")
    if not _TOKEN_FORM.fullmatch(token):
        raise ValueError("token: it is empty, or has a character that no header may contain")
    return token


def pays_invoice(request: Any) -> bool:
    """Return whether a request moves money by itself: it pays an invoice with an Apple Pay token.

    A session does not: money moves only once a browser uses it.
    """
    if isinstance(request, pb.DecryptApplePayRequest):
        return request.HasField("pay_invoice")
    return isinstance(request, pb.CreatePaymentMethodRequest) and request.apple_pay.HasField("pay_invoice")


def _named(request: Any) -> str:
    """Return the request id, after setting a fresh one where the request may have one of the client's.

    Raises:
        ValueError: It needs the caller's own.
    """
    # That of GetCall names other calls, or is left out.
    if "request_id" not in request.DESCRIPTOR.fields_by_name or isinstance(
        request, diagnostics_service_pb2.GetCallRequest
    ):
        return ""
    if not request.request_id:
        if pays_invoice(request):
            raise ValueError(_PAYMENT_WITHOUT_ID)
        # The service would answer truthfully that it knows nothing of a fresh one.
        if isinstance(request, pb.GetIntentRequest):
            raise ValueError("request_id: it is required; it names the intent that is asked about")
        request.request_id = new_request_id()
    return str(request.request_id)
