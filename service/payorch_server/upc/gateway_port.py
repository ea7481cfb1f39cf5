"""What the hub asks of a plugged-in gateway; `gateways` implements it over gRPC."""

from dataclasses import dataclass, field
from typing import Protocol

from payorch_server.model.secret import Secret
from payorch_server.upc.gateway_outcome import (
    CallFacts,
    GatewayDescription,
    GatewayOutcome,
    NoOutcome,
    NotHeardOf,
    NotSent,
)
from payorch_server.upc.request import HubRequest
from payorch_server.upc.settings import PluginSettings


@dataclass(frozen=True, slots=True)
class PluginCertificates:
    """The PEM files of a gateway's TLS, read."""

    authorities: bytes = b""
    """Authorities to believe; empty: those that gRPC brings along."""
    certificate: bytes = b""
    """Shown to the gateway, intermediate ones after it; empty: none."""
    key: Secret[bytes] = field(default_factory=lambda: Secret(b""))
    """Private key of the certificate."""


class Gateway(Protocol):
    """A gateway that is plugged in. Deadlines are absolute, on the monotonic clock; no method raises."""

    name: str
    """In the settings."""
    settings: PluginSettings

    @property
    def in_flight(self) -> int:
        """Calls in progress."""
        ...

    async def describe(self, *, deadline_s: float) -> GatewayDescription | NotSent:
        """Return what the gateway last said of itself, waiting until its channel is ready for the first time.

        Returns:
            NotSent where it cannot be reached or described by the deadline.
        """
        ...

    async def call(
        self, request: HubRequest, facts: CallFacts, *, deadline_s: float
    ) -> GatewayOutcome | NoOutcome | NotSent:
        """Call the gateway once.

        Returns:
            NotSent only where provably not one byte of the call was sent.
        """
        ...

    async def look_up(
        self, request: HubRequest, key: str, *, deadline_s: float
    ) -> GatewayOutcome | NotHeardOf | NoOutcome:
        """Ask the gateway what became of the calls for a request, under its key."""
        ...


class GatewayDirectory(Protocol):
    """The gateways that are plugged in now."""

    def find(self, *, hub: str, gateway_name: str, tenant_id: str, method_type: str) -> Gateway | None:
        """Return the gateway of a request, or None; types are compared without case."""
        ...

    def named(self, name: str) -> Gateway | None:
        """Return the gateway with this name in the settings, or None."""
        ...


class PluginObserver(Protocol):
    """Counts the calls of gateways; no method raises."""

    def plugin_called(self, *, gateway: str, method: str, result: str, duration_s: float) -> None:
        """Note the end of a call.

        Args:
            gateway: Name in the settings.
            method: Of the RPC, such as `ProcessPayment`.
            result: Of the gateway, such as `APPROVED`; else the name of the gRPC status code, `UNSPECIFIED`,
                `RULE_BROKEN`, `NOT_HEARD_OF` or `NOT_SENT`. For DescribeGateway `OK` or the name of the status code.
            duration_s: From its start to its end.
        """
        ...

    def contract_broken(self, *, gateway: str, rule: str) -> None:
        """Note an answer that breaks a rule of the contract, by the rule's constant name."""
        ...
