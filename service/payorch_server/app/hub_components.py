"""The components of a running hub behind its listener, and how a changed configuration replaces them."""

import os
import random
import ssl
from typing import Final

import structlog

from payorch_server.config.hub_document import HubConfiguration
from payorch_server.model.secret import Secret
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.keyring import MIN_KEY_BYTES, Keyring
from payorch_server.store.port import Store
from payorch_server.telemetry.providers import Telemetry
from payorch_server.upc.addresses import AddressRules
from payorch_server.upc.app import HubAccess, HubEndpoint, tls_context
from payorch_server.upc.credentials import HubCredentials, generation_of
from payorch_server.upc.gateways import Gateways
from payorch_server.upc.hub import Hub
from payorch_server.upc.hub_parts import HubParts
from payorch_server.upc.observation import HubObservation
from payorch_server.upc.settings import UpcSettings

_LOG: Final = structlog.get_logger("payorch.app")
_DAY_S: Final = 86_400.0
# For jitter; nothing secret depends on it.
_RANDOM: Final = random.SystemRandom()


class HubComponents:
    """The parts of a running hub. Needs a running event loop."""

    def __init__(
        self,
        configuration: HubConfiguration,
        *,
        store: Store,
        clock: Clock,
        tasks: TaskOwner,
        deadlines: Deadlines,
        telemetry: Telemetry,
    ) -> None:
        """Build the parts; nothing is connected yet.

        Raises:
            OSError: The certificate cannot be used.
        """
        self.configuration = configuration
        """In force."""
        self.store, self.clock, self.tasks, self.telemetry = store, clock, tasks, telemetry
        self._deadlines = deadlines
        self.observation = HubObservation(
            tracer=telemetry.tracer, meter=telemetry.meter, clock=clock, settings=lambda: self.settings
        )
        self.gateways = Gateways(
            self.settings.gateways,
            self.settings.hubs,
            configuration.plugin_certificates,
            clock=clock,
            tasks=tasks,
            tracer=telemetry.tracer,
            observer=self.observation,
        )
        self.hub = Hub(self._parts(), lambda: self.settings.hubs)
        self._access = _access(configuration)
        self.tls = _tls(configuration)
        """None: plaintext."""
        self.endpoint = HubEndpoint(
            self.hub,
            access=lambda: self._access,
            observer=self.observation,
            clock=clock,
            deadlines=self._deadlines,
        )

    def __repr__(self) -> str:
        return f"HubComponents({self.hub!r})"

    @property
    def settings(self) -> UpcSettings:
        """The hub's own settings in force."""
        return self.configuration.document.upc

    def current_tls(self) -> ssl.SSLContext:
        """Return what a new connection is encrypted with at this moment."""
        if self.tls is None:
            raise LookupError("the listener has no certificate")
        return self.tls

    def _parts(self) -> HubParts:
        # A key for this process alone will do where no other replica reads its records.
        keys = self.configuration.keys or (("process", Secret(os.urandom(MIN_KEY_BYTES))),)
        return HubParts(
            store=self.store,
            keyring=Keyring(keys, entropy=os.urandom),
            directory=self.gateways,
            clock=self.clock,
            uniform=_RANDOM.uniform,
            entropy=os.urandom,
            tasks=self.tasks,
            deadlines=self._deadlines,
            keep_s=self.settings.keep_results_days * _DAY_S,
            observer=self.observation,
        )

    def apply(self, fresh: HubConfiguration) -> None:
        """Use another configuration for every request that begins from now on; those in progress end with theirs.

        Raises:
            OSError: The certificate cannot be used; nothing has changed.
        """
        # Everything that can fail comes before the first change.
        access, tls = _access(fresh), _tls(fresh)
        upc = fresh.document.upc
        self.gateways.replace(upc.gateways, upc.hubs, fresh.plugin_certificates)
        self.telemetry.use_headers(fresh.otlp_headers)
        self.configuration, self._access, self.tls = fresh, access, tls
        _LOG.info("config_change_applied", hubs=list(upc.hubs), gateways=list(upc.gateways))


def _access(configuration: HubConfiguration) -> HubAccess:
    upc = configuration.document.upc
    generations = {
        hub: tuple(generation_of(user, password) for user, password in passwords)
        for hub, passwords in configuration.passwords.items()
    }
    return HubAccess(
        hubs=upc.hubs,
        credentials=HubCredentials(generations),
        addresses=AddressRules(allow=upc.allow, trusted_proxies=upc.trusted_proxies),
    )


def _tls(configuration: HubConfiguration) -> ssl.SSLContext | None:
    tls = configuration.document.upc.tls
    return tls_context(tls) if tls else None
