"""The clients for threads."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from payorch import rpcs
from payorch.channel import OPERATORS_SERVICE_CONFIG, SERVICE_CONFIG, ChannelOptions, ConnectOptions, maker
from payorch.errors import ERRORS_URL
from payorch.links import Links
from payorch.resend import Resend
from payorch.sender import Sender, TokenSource
from payorch.tls import Tls
from payorch.v1 import diagnostics_service_pb2 as diagnostics
from payorch.v1 import payment_orchestration_service_pb2 as pb

RESEND: Final = Resend()
"""What a client does unless it is given something else."""


class _Closing:
    """What both clients have: an end."""

    def __init__(self, sender: Sender) -> None:
        """Use what sends; `connect` and `connect_diagnostics` make one."""
        self._sender = sender

    def close(self) -> None:
        """End the connections; calls in progress are cancelled."""
        self._sender.close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()


class Client(_Closing):
    """Calls the service; safe to be used by many threads. Close it, or use it as a context manager.

    No request is ever changed. `deadline_s` is from now and for all attempts; None means that of `Resend`.
    """

    def create_session(
        self, request: pb.CreateSessionRequest, *, deadline_s: float | None = None
    ) -> pb.CreateSessionResponse:
        """Create a payment session for Zuora's JavaScript library.

        Without a request id it gets a fresh one, which the answer names.

        Raises:
            PayorchError: By its subclass: not sent, refused, partly done, or unknown.
        """
        return self._sender.call(rpcs.CREATE_SESSION, request, deadline_s)

    def decrypt_apple_pay(
        self, request: pb.DecryptApplePayRequest, *, deadline_s: float | None = None
    ) -> pb.DecryptApplePayResponse:
        """Create a payment method of an Apple Pay token and, if asked, pay an invoice.

        Raises:
            ValueError: It pays an invoice and has no request id.
            PayorchError: By its subclass: not sent, refused, partly done, or unknown.
        """
        return self._sender.call(rpcs.DECRYPT_APPLE_PAY, request, deadline_s)

    def create_payment_method(
        self, request: pb.CreatePaymentMethodRequest, *, deadline_s: float | None = None
    ) -> pb.CreatePaymentMethodResponse:
        """Create a payment method and, with an Apple Pay token, pay an invoice if asked.

        Raises:
            ValueError: It pays an invoice and has no request id.
            PayorchError: By its subclass: not sent, refused, partly done, or unknown.
        """
        return self._sender.call(rpcs.CREATE_PAYMENT_METHOD, request, deadline_s)

    def get_intent(self, request: pb.GetIntentRequest, *, deadline_s: float | None = None) -> pb.GetIntentResponse:
        """Return what became of an intent; sends nothing to Zuora.

        Raises:
            ValueError: It names no request id.
            PayorchError: It could not be found out.
        """
        return self._sender.call(rpcs.GET_INTENT, request, deadline_s)


class DiagnosticsClient(_Closing):
    """Asks the service's listener for operators; safe to be used by many threads. `PayorchError` says what failed."""

    def explain_route(
        self, request: diagnostics.ExplainRouteRequest, *, deadline_s: float | None = None
    ) -> diagnostics.ExplainRouteResponse:
        """Explain where a call would go and why."""
        return self._sender.call(rpcs.EXPLAIN_ROUTE, request, deadline_s)

    def get_call(
        self, request: diagnostics.GetCallRequest, *, deadline_s: float | None = None
    ) -> diagnostics.GetCallResponse:
        """Return the records of the calls with a Track-Id."""
        return self._sender.call(rpcs.GET_CALL, request, deadline_s)

    def get_quota(
        self, request: diagnostics.GetQuotaRequest, *, deadline_s: float | None = None
    ) -> diagnostics.GetQuotaResponse:
        """Return how much of Zuora's limits is left."""
        return self._sender.call(rpcs.GET_QUOTA, request, deadline_s)


def connect(
    target: str,
    *,
    tls: Tls | None = None,
    plaintext: bool = False,
    token: TokenSource | None = None,
    resend: Resend | None = RESEND,
    errors_url: str = ERRORS_URL,
    service_config: str = SERVICE_CONFIG,
    options: ChannelOptions = (),
    interceptors: Sequence[Any] = (),
) -> Client:
    """Return a client; its first call connects.

    Args:
        target: `host:port`, each of whose addresses is used in turn, or a target of gRPC with its scheme.
        tls: What to trust and to show; None: gRPC's own authorities, and no certificate.
        plaintext: Whether to do without TLS, on this machine or in a mesh.
        token: Returns the caller's JSON Web Token for each attempt, and has to cache it. Called with True when the last
            one was not accepted: then it must be a fresh one.
        resend: When a call is sent again; None: by the retries of the service config alone.
        errors_url: Where the texts of errors link to: your copy of docs/errors.md.
        service_config: JSON of a gRPC service config; the published one unless given.
        options: Further options of gRPC's channel, over those of this package.
        interceptors: gRPC's client interceptors; they see every attempt, and grpc.health.v1.Health/Check where the
            client finds out whether there is a connection.

    Raises:
        ValueError: It is no target, TLS and plaintext are both asked for, or a token would be sent in plaintext beyond
            this machine.
    """
    chosen = ConnectOptions(
        tls=tls,
        plaintext=plaintext,
        with_token=token is not None,
        resend=resend,
        errors_url=errors_url,
        service_config=service_config,
        options=options,
    )
    return Client(sender_of(target, chosen, token, interceptors))


def connect_diagnostics(
    target: str,
    *,
    tls: Tls | None = None,
    plaintext: bool = False,
    token: TokenSource | None = None,
    resend: Resend | None = RESEND,
    errors_url: str = ERRORS_URL,
    service_config: str = OPERATORS_SERVICE_CONFIG,
    options: ChannelOptions = (),
    interceptors: Sequence[Any] = (),
) -> DiagnosticsClient:
    """Return a client of the listener for operators; arguments and errors are those of `connect`."""
    chosen = ConnectOptions(
        tls=tls,
        plaintext=plaintext,
        with_token=token is not None,
        resend=resend,
        errors_url=errors_url,
        service_config=service_config,
        options=options,
    )
    return DiagnosticsClient(sender_of(target, chosen, token, interceptors))


def sender_of(target: str, chosen: ConnectOptions, token: TokenSource | None, interceptors: Sequence[Any]) -> Sender:
    """Return what sends the calls of a client."""
    make, calls = maker(chosen.resolved(target), chosen.channel_options(), interceptors), chosen.call_settings()
    return Sender(Links(make, chosen.trusted(), calls.timing), chosen.endpoint(target), calls, token)
