"""The channel to one plugged-in gateway: whether it is ready, what the gateway says of itself, and bytes both ways."""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import grpc
import structlog
from payorch.v1.payment_gateway_service_pb2 import DescribeGatewayRequest

from payorch_server.model.secret import reveal  # noqa: TID251 - the key goes into the handshake
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.upc.gateway_outcome import GatewayDescription, NoOutcome, NotSent, Silence
from payorch_server.upc.gateway_port import PluginCertificates, PluginObserver
from payorch_server.upc.plugin_messages import LOOK_UP, METHODS, SERVICE
from payorch_server.upc.plugin_outcome import read_description

_LOG: Final = structlog.get_logger("payorch.upc")
_Rpc: TypeAlias = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
_READY: Final = grpc.ChannelConnectivity.READY
_MAX_READY_S: Final = 5.0
_DESCRIBE_S: Final = 2.0
_DESCRIBED_FOR_S: Final = 60.0
_DESCRIBE: Final = "DescribeGateway"
_QUESTION: Final = DescribeGatewayRequest().SerializeToString()
_NOT_DESCRIBED: Final = "NOT_DESCRIBED"
_SHOWN_STATES: Final = frozenset({_READY.name, _NOT_DESCRIBED, grpc.ChannelConnectivity.TRANSIENT_FAILURE.name})
# An empty name stands for the whole process. A backend that is NOT_SERVING gets no new calls; one without the health
# service counts as healthy.
_SERVICE_CONFIG: Final = json.dumps(
    {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}
)
_OPTIONS: Final = (
    ("grpc.service_config", _SERVICE_CONFIG),
    # A config that DNS could deliver is not ours: it could ask for retries.
    ("grpc.service_config_disable_resolution", 1),
    # Not only those that a config asks for: gRPC's own, after a GOAWAY for example, would send a call a second time.
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    # Each gateway has connections of its own, which end with its channel.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.max_send_message_length", -1),
    # Servers of gRPC end connections that are pinged more often than every five minutes, unless they are configured.
    ("grpc.keepalive_time_ms", 301_000),
    # Also how long bytes may stay unacknowledged before the connection counts as broken.
    ("grpc.keepalive_timeout_ms", 10_000),
    # As long as calls wait for the channel, so that a gateway that is back is found by the next one.
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
)


@dataclass(frozen=True, slots=True)
class PluginAddress:
    """Where a gateway is called."""

    target: str
    """gRPC target."""
    certificates: PluginCertificates | None
    """None: plaintext."""


class PluginChannel:
    """A channel that connects by itself, and again whenever the connection was lost. Needs a running event loop."""

    def __init__(
        self, name: str, address: PluginAddress, *, clock: Clock, tasks: TaskOwner, observer: PluginObserver
    ) -> None:
        self.address = address
        self.in_flight = 0
        """Calls and look-ups in progress."""
        self._name = name
        self._clock, self._tasks, self._observer = clock, tasks, observer
        self._channel = _open(address)
        self._rpcs: Mapping[str, _Rpc] = {
            method: self._channel.unary_unary(f"/{SERVICE}/{method}")
            for method in (*METHODS.values(), LOOK_UP, _DESCRIBE)
        }
        self._ready = asyncio.Event()
        self._description: GatewayDescription | None = None
        self._described_at_s = 0.0
        self._last_refusal: NotSent | None = None
        self._last_name = ""
        self._asking: asyncio.Task[GatewayDescription | NotSent] | None = None
        self._shown_state = ""
        self._watching: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Connect, and ask the gateway to describe itself."""
        self._watching = self._tasks.start(self._watch(), name=f"watch gateway {self._name}")

    @property
    def state(self) -> str:
        """Name of the channel's state, such as READY; NOT_DESCRIBED where the gateway does not describe itself."""
        state = self._channel.get_state()
        is_silent = state is _READY and self._description is None and self._last_refusal is not None
        return _NOT_DESCRIBED if is_silent else str(state.name)

    async def describe(self, *, deadline_s: float) -> GatewayDescription | NotSent:
        """Return what the gateway says of itself: as it last said on this connection, and asked again after a minute.

        Returns:
            NotSent where it cannot be reached, or has never described itself on this connection.
        """
        # 1. A channel that cannot carry the question.
        if not await self._wait_until_ready(deadline_s):
            return NotSent("the gateway cannot be reached")
        # 2. Known since less than a minute. Behind the same connection there may be a new version after that.
        known = self._description
        if known and self._clock.monotonic() - self._described_at_s < _DESCRIBED_FOR_S:
            return known
        # 3. Ask, once for all that wait. What was said before on this connection is better than nothing.
        answer = await self._ask_once(deadline_s)
        return known if known and isinstance(answer, NotSent) else answer

    async def send(
        self, method: str, message: bytes, *, metadata: Sequence[tuple[str, str]], deadline_s: float
    ) -> bytes | NoOutcome | NotSent:
        """Send a message once; return the gateway's.

        Returns:
            NotSent where the channel was not ready, so that nothing was sent. Once the call has begun on a ready
            channel, every failure is a NoOutcome: nothing shows what the gateway has seen, UNAVAILABLE included.
        """
        self.in_flight += 1
        try:
            if not await self._wait_until_ready(deadline_s):
                return NotSent("the gateway cannot be reached")
            left_s = deadline_s - self._clock.monotonic()
            if left_s <= 0:
                return NotSent("there was no time left to call the gateway")
            return await self._rpc(method, message, metadata=metadata, timeout_s=left_s)
        finally:
            self.in_flight -= 1

    async def close(self, *, after_s: float = 0.0) -> None:
        """Close the channel; calls that have not ended are cut off.

        Args:
            after_s: How long calls can still be made, by requests that have found the gateway before.
        """
        try:
            await asyncio.sleep(after_s)
        finally:
            if self._watching:
                self._watching.cancel()
            await self._channel.close()

    async def _rpc(
        self, method: str, message: bytes, *, metadata: Sequence[tuple[str, str]], timeout_s: float
    ) -> bytes | NoOutcome:
        try:
            return await self._rpcs[method](message, timeout=timeout_s, metadata=tuple(metadata))
        except grpc.aio.AioRpcError as error:
            silence = Silence.DEADLINE if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED else Silence.ERROR
            return NoOutcome(silence, error.code().name)
        except asyncio.CancelledError:
            # The channel was closed; or this task is being cancelled, which its owner must see.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return NoOutcome(Silence.ERROR, grpc.StatusCode.CANCELLED.name)
        except Exception:  # noqa: BLE001 - whatever it is, the call may have been sent
            _LOG.exception("unexpected_error", gateway=self._name, method=method)
            return NoOutcome(Silence.ERROR)

    async def _wait_until_ready(self, deadline_s: float) -> bool:
        # Almost always; the limit below has its price.
        if self._channel.get_state() is _READY:
            return True
        limit_s = min(_MAX_READY_S, deadline_s - self._clock.monotonic())
        try:
            async with asyncio.timeout(limit_s):
                # The state itself decides; what the watcher has seen may be older.
                while (state := self._channel.get_state()) is not _READY:
                    if state is grpc.ChannelConnectivity.SHUTDOWN:
                        return False
                    self._forget_connection()
                    await self._ready.wait()
        except TimeoutError:
            return False
        return True

    async def _watch(self) -> None:
        while True:
            state = self._channel.get_state(try_to_connect=True)
            if state is _READY:
                self._ready.set()
                _ = self._tasks.start(self._ask_once(math.inf), name=f"describe gateway {self._name}")
            else:
                self._forget_connection()
                self._show(state.name)
            await self._channel.wait_for_state_change(state)

    def _forget_connection(self) -> None:
        """Note that the next connection may lead to another version, or to another gateway."""
        self._ready.clear()
        self._description = None

    async def _ask_once(self, deadline_s: float) -> GatewayDescription | NotSent:
        if self._asking is None:
            self._asking = self._tasks.start_shared(self._ask(), name=f"ask gateway {self._name}")
        asking = self._asking
        left_s = max(0.0, deadline_s - self._clock.monotonic())
        done, _ = await asyncio.wait({asking}, timeout=None if math.isinf(left_s) else left_s)
        if not done or asking.cancelled():
            return NotSent("the gateway did not describe itself in time")
        return asking.result()

    async def _ask(self) -> GatewayDescription | NotSent:
        begun_s = self._clock.monotonic()
        try:
            answer = await self._rpc(_DESCRIBE, _QUESTION, metadata=(), timeout_s=_DESCRIBE_S)
        finally:
            self._asking = None
        result = answer.code if isinstance(answer, NoOutcome) else "OK"
        duration_s = self._clock.monotonic() - begun_s
        self._observer.plugin_called(gateway=self._name, method=_DESCRIBE, result=result, duration_s=duration_s)
        if isinstance(answer, NoOutcome):
            return self._refused(NotSent("the gateway does not describe itself"))
        description = read_description(answer)
        if isinstance(description, NotSent):
            return self._refused(description)
        self._keep(description)
        return description

    def _refused(self, why: NotSent) -> NotSent:
        self._last_refusal = why
        if self._description is None:
            self._show(self.state)
        return why

    def _keep(self, description: GatewayDescription) -> None:
        self._description, self._described_at_s, self._last_refusal = description, self._clock.monotonic(), None
        self._show(_READY.name)
        if self._last_name not in {"", description.name}:
            # Payments that were begun with the other one stay open; who changed it has to know.
            _LOG.error("upc_gateway_state", gateway=self._name, state="ANOTHER_NAME")
        self._last_name = description.name

    def _show(self, state: str) -> None:
        """Log a change between what serves and what does not; steps between them are of no use to people."""
        if state == self._shown_state or state not in _SHOWN_STATES:
            return
        (_LOG.info if state == _READY.name else _LOG.warning)("upc_gateway_state", gateway=self._name, state=state)
        self._shown_state = state


def _open(address: PluginAddress) -> grpc.aio.Channel:
    if address.certificates is None:
        return grpc.aio.insecure_channel(address.target, options=_OPTIONS)
    files = address.certificates
    credentials = grpc.ssl_channel_credentials(
        files.authorities or None, reveal(files.key) or None, files.certificate or None
    )
    return grpc.aio.secure_channel(address.target, credentials, options=_OPTIONS)
