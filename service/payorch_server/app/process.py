"""What the processes of the service and of the hub share: their store, admin listener, signals and gauges."""

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Final, Protocol

import structlog
from opentelemetry.metrics import Meter, Observation

from payorch_server.app.admin import Readiness, start_admin
from payorch_server.config.base_document import AdminSettings
from payorch_server.model import CommandError
from payorch_server.model.secret import Secret
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import termination
from payorch_server.store.factory import CountedStore, open_store
from payorch_server.store.memory import MemoryStore
from payorch_server.store.port import Store
from payorch_server.store.settings import StoreSettings
from payorch_server.telemetry.instruments import observe
from payorch_server.telemetry.log_writer import LogWriter
from payorch_server.telemetry.logging import LogStreams
from payorch_server.telemetry.providers import Telemetry

_LOG: Final = structlog.get_logger("payorch.app")


class StartError(CommandError):
    """The process cannot start, for a reason that the text names."""


class Drainable(Protocol):
    """A listening process."""

    async def drain(self) -> None:
        """Take no new work, and let the other finish."""
        ...


async def serve_until_signal(start: Callable[[AsyncExitStack], Awaitable[Drainable]], *, streams: LogStreams) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends the process at once.

    Args:
        start: Starts what serves; the stack closes it.
        streams: Where lines go; their last lines are written before a second signal ends the process.
    """
    stop = asyncio.Event()

    def end() -> None:
        streams.close()
        os._exit(130)

    with termination(on_first=stop.set, on_second=end):
        async with AsyncExitStack() as stack:
            started = await start(stack)
            # Most of what exists now is never garbage; a full collection that skips it takes a tenth of the time. The
            # start needs none at all, so the command line has switched the collector off.
            gc.freeze()
            gc.enable()
            await stop.wait()
            await started.drain()
    _LOG.info("stopped")


def open_counted_store(
    settings: StoreSettings, *, password: Secret[str] | None, meter: Meter, clock: Clock, deadlines: Deadlines
) -> Store:
    """Return the store of the settings, whose failures are counted; nothing is connected yet."""
    failures = meter.create_counter(
        "payorch.store.failures", unit="{operation}", description="Operations of the store that failed."
    )
    store = open_store(settings, password=password, clock=clock, deadlines=deadlines)
    if isinstance(store, MemoryStore):
        _publish_size(meter, store)
    return CountedStore(store, failed=lambda operation: failures.add(1, {"operation": operation}))


def _publish_size(meter: Meter, store: MemoryStore) -> None:
    observe(
        meter,
        "payorch.store.entries",
        lambda: [Observation(store.entries)],
        unit="{record}",
        description="Records that the store in memory holds.",
    )
    observe(
        meter,
        "payorch.store.max_entries",
        lambda: [Observation(store.max_entries)],
        unit="{record}",
        description="Records that the store in memory holds at most; beyond them it refuses new ones.",
    )


async def listen_for_probes(
    settings: AdminSettings,
    *,
    readiness: Callable[[], Readiness],
    telemetry: Telemetry,
    clock: Clock,
    stack: AsyncExitStack,
) -> int:
    """Listen for probes and scrapes until the stack closes; return the port.

    Raises:
        StartError: The address cannot be listened on.
    """
    try:
        return await start_admin(
            settings, readiness=readiness, exposition=telemetry.exposition, clock=clock, stack=stack
        )
    except OSError as error:
        raise StartError(f"admin.listen: cannot listen on {settings.listen}: {error.strerror}") from error


def publish_streams(meter: Meter, streams: Sequence[LogWriter]) -> None:
    """Register the metrics of the log and of the audit."""
    meter.create_observable_counter(
        "payorch.log.lost",
        callbacks=[lambda _options: [Observation(stream.lost, {"stream": stream.name}) for stream in streams]],
        unit="{line}",
        description="Lines of the log and of the audit that will never be written.",
    )
    observe(
        meter,
        "payorch.log.stalled",
        lambda: [Observation(int(stream.is_stalled), {"stream": stream.name}) for stream in streams],
        unit="1",
        description="1 while the stream's lines do not get out, because its reader is gone or reads nothing.",
    )


def publish_certificate(meter: Meter, expires_at: Callable[[], datetime]) -> None:
    """Register the gauge of when the listener's certificate ends.

    Args:
        meter: Makes it.
        expires_at: Returns when the certificate in use ends.
    """
    observe(
        meter,
        "payorch.certificate.expiry",
        lambda: [Observation(expires_at().timestamp())],
        unit="s",
        description="When the listener's certificate ends, Unix time.",
    )
