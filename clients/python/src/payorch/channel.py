"""How a client's channel is made."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import grpc

from payorch.connection import Endpoint
from payorch.outgoing import CallSettings
from payorch.resend import Budget, Resend
from payorch.target import checked_target
from payorch.timing import SYSTEM, Timing
from payorch.tls import Tls
from payorch.version import VERSION

SERVICE_CONFIG: Final = files("payorch").joinpath("service_config.json").read_text(encoding="utf-8")
"""The published gRPC service config: round robin, health, retries that the contract allows, throttling."""
OPERATORS_SERVICE_CONFIG: Final = json.dumps(
    {name: value for name, value in json.loads(SERVICE_CONFIG).items() if name != "healthCheckConfig"}
)
"""The same for the listener for operators, which reports no health."""
ChannelOptions = Sequence[tuple[str, Any]]
_KEEPALIVE_MS: Final = 30_000
"""Between two pings of a connection in use; the service allows one every 10 s."""
_KEEPALIVE_TIMEOUT_MS: Final = 10_000
_FIRST_RECONNECT_MS: Final = 200
_LONGEST_RECONNECT_MS: Final = 1_000
"""Between two attempts to connect. Calls fail meanwhile, and gRPC's own two minutes would make an outage longer."""
_RESOLUTIONS_MS: Final = 5_000
"""Between two resolutions of the name, at least. When all replicas are replaced in a row, only DNS knows the new ones,
and gRPC's own 30 s would be an outage of the client."""
_RETRIES: Final = ("retryPolicy", "hedgingPolicy")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectOptions:
    """What a caller says of the connection, whatever waits for its calls."""

    tls: Tls | None
    plaintext: bool
    with_token: bool
    resend: Resend | None
    errors_url: str
    service_config: str
    options: ChannelOptions
    timing: Timing = SYSTEM

    def resolved(self, target: str) -> str:
        """Return the target for gRPC.

        Raises:
            ValueError: It is none, TLS and plaintext are both asked for, or a token would be sent in plaintext beyond
                this machine.
        """
        return checked_target(target, tls=self.tls is not None, plaintext=self.plaintext, with_token=self.with_token)

    def trusted(self) -> Tls | None:
        """Return what to trust and to show; None: without TLS."""
        return None if self.plaintext else self.tls or Tls()

    def endpoint(self, target: str) -> Endpoint:
        """Return what errors of the connection speak about."""
        return Endpoint(target, plaintext=self.plaintext, shows_certificate=bool(self.tls and self.tls.certificate))

    def call_settings(self) -> CallSettings:
        """Return what holds for every call."""
        return CallSettings(self.with_token, self.resend, Budget(), self.errors_url, self.timing)

    def channel_options(self) -> list[tuple[str, Any]]:
        """Return the channel's options.

        Raises:
            ValueError: The service config is not a JSON object.
        """
        return channel_options(self.service_config, self.options, resends=self.resend is not None)


def channel_options(service_config: str, given: ChannelOptions, *, resends: bool) -> list[tuple[str, Any]]:
    """Return the channel's options; those of the caller replace ours.

    Args:
        service_config: JSON of a gRPC service config.
        given: The caller's own options.
        resends: Whether the client resends calls itself, so that the channel must not.

    Raises:
        ValueError: The service config is not a JSON object.
    """
    ours = {
        "grpc.service_config": without_retries(service_config) if resends else service_config,
        # A config that DNS could deliver is not ours.
        "grpc.service_config_disable_resolution": 1,
        "grpc.keepalive_time_ms": _KEEPALIVE_MS,
        "grpc.keepalive_timeout_ms": _KEEPALIVE_TIMEOUT_MS,
        "grpc.initial_reconnect_backoff_ms": _FIRST_RECONNECT_MS,
        "grpc.max_reconnect_backoff_ms": _LONGEST_RECONNECT_MS,
        "grpc.dns_min_time_between_resolutions_ms": _RESOLUTIONS_MS,
        "grpc.primary_user_agent": f"payorch-python/{VERSION}",
    }
    return list({**ours, **dict(given)}.items())


def without_retries(service_config: str) -> str:
    """Return a service config without its policies of retries.

    Raises:
        ValueError: It is not a JSON object.
    """
    config = json.loads(service_config)
    if not isinstance(config, dict):
        raise ValueError("service_config: it is not a JSON object")  # noqa: TRY004 - the type of the argument is right
    methods = [
        {name: value for name, value in method.items() if name not in _RETRIES}
        for method in config.get("methodConfig", ())
    ]
    return json.dumps({**config, "methodConfig": methods})


def maker(target: str, settings: ChannelOptions, interceptors: Sequence[Any]) -> Callable[[Tls | None], grpc.Channel]:
    """Return what makes a channel for threads; without TLS if it is given none."""

    def make(tls: Tls | None) -> grpc.Channel:
        if tls is None:
            channel = grpc.insecure_channel(target, settings)
        else:
            channel = grpc.secure_channel(target, tls.credentials(), settings)
        return grpc.intercept_channel(channel, *interceptors) if interceptors else channel

    return make


def maker_async(
    target: str, settings: ChannelOptions, interceptors: Sequence[grpc.aio.ClientInterceptor]
) -> Callable[[Tls | None], grpc.aio.Channel]:
    """Return what makes a channel for tasks; without TLS if it is given none."""

    def make(tls: Tls | None) -> grpc.aio.Channel:
        if tls is None:
            return grpc.aio.insecure_channel(target, settings, interceptors=interceptors)
        return grpc.aio.secure_channel(target, tls.credentials(), settings, interceptors=interceptors)

    return make
