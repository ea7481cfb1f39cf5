"""The client for tasks of asyncio."""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypeVar

import grpc

from payorch.calls import named, prepared
from payorch.channel import SERVICE_CONFIG, Tls, checked_target, options
from payorch.errors import raised
from payorch.v1 import payment_orchestration_service_pb2 as pb
from payorch.v1 import payment_orchestration_service_pb2_grpc as stubs

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class AsyncClient:
    """Calls the service; for the tasks of one event loop. Close it, or use it as an asynchronous context manager."""

    def __init__(self, channel: grpc.aio.Channel, *, token: Callable[[], Awaitable[str]] | None = None) -> None:
        """Use a channel, which is closed with the client.

        Args:
            channel: To the service, such as `connect` makes.
            token: Returns the caller's JSON Web Token for each call; it has to cache.
        """
        self._channel = channel
        self._token = token
        self._stub = stubs.PaymentOrchestrationServiceStub(channel)

    async def create_session(
        self, request: pb.CreateSessionRequest, *, deadline_s: float | None = None
    ) -> pb.CreateSessionResponse:
        """Create a payment session for Zuora's JavaScript library.

        Raises:
            PayorchError: By its subclass: not sent, refused, partly done, or unknown.
        """
        return await self._call(self._stub.CreateSession, named(request), deadline_s)

    async def decrypt_apple_pay(
        self, request: pb.DecryptApplePayRequest, *, deadline_s: float | None = None
    ) -> pb.DecryptApplePayResponse:
        """Create a payment method of an Apple Pay token and, if asked, pay an invoice.

        Raises:
            PayorchError: By its subclass: not sent, refused, partly done, or unknown.
        """
        return await self._call(self._stub.DecryptApplePay, named(request), deadline_s)

    async def create_payment_method(
        self, request: pb.CreatePaymentMethodRequest, *, deadline_s: float | None = None
    ) -> pb.CreatePaymentMethodResponse:
        """Create a payment method.

        Raises:
            PayorchError: By its subclass: not sent, refused, partly done, or unknown.
        """
        return await self._call(self._stub.CreatePaymentMethod, named(request), deadline_s)

    async def get_intent(
        self, request: pb.GetIntentRequest, *, deadline_s: float | None = None
    ) -> pb.GetIntentResponse:
        """Tell what became of an intent; sends nothing to Zuora.

        Raises:
            PayorchError: It could not be told.
        """
        return await self._call(self._stub.GetIntent, request, deadline_s)

    async def _call(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Answer]", request: Request, deadline_s: float | None
    ) -> Answer:
        sending = prepared(request, deadline_s=deadline_s, token=await self._token() if self._token else "")
        try:
            return await method(request, timeout=sending.timeout_s, metadata=sending.metadata)
        except grpc.RpcError as error:
            raise raised(error, sending.request_id) from error

    async def close(self) -> None:
        """End the connections; calls in progress are cancelled."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()


def connect(
    target: str,
    *,
    tls: Tls | None = None,
    plaintext: bool = False,
    token: Callable[[], Awaitable[str]] | None = None,
    service_config: str = SERVICE_CONFIG,
) -> AsyncClient:
    """Return a client; the connections are made by its first call.

    Args:
        target: `host:port`, each of whose addresses is used in turn, or a target of gRPC with its scheme.
        tls: What to believe and to show; None: gRPC's own authorities, and no certificate.
        plaintext: Whether to do without TLS, on this machine or in a mesh.
        token: Returns the caller's JSON Web Token for each call; it has to cache.
        service_config: JSON of a gRPC service config; the published one unless given.

    Raises:
        ValueError: TLS and plaintext are both asked for, or a token would go out in plaintext beyond this machine.
    """
    where = checked_target(target, tls=tls, plaintext=plaintext, with_token=token is not None)
    settings = options(service_config)
    if plaintext:
        return AsyncClient(grpc.aio.insecure_channel(where, settings), token=token)
    return AsyncClient(grpc.aio.secure_channel(where, (tls or Tls()).credentials(), settings), token=token)
