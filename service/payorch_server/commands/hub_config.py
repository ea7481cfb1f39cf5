"""Checks the configuration of the hub, and declares the epoch of its store."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from payorch_server.config.base_document import ConfigError
from payorch_server.config.hub_changes import hub_change_problems
from payorch_server.config.hub_document import HubConfiguration, HubDocument
from payorch_server.config.hub_loading import load_hub, load_hub_document
from payorch_server.config.reading import source_of
from payorch_server.model import CommandError
from payorch_server.model.names import counted
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.store.factory import open_store
from payorch_server.store.port import StoreUnavailable
from payorch_server.upc.epoch import Epoch, declare_epoch

_UNDECLARED: Final = """Nothing was declared. Give one of:
  --first-start  No hub has sent payments or refunds of these tenants to gateways before.
  --after-loss   The store has lost records. Run it only when no payment or refund of these tenants is in Processing in
                 Zuora: from then on a missing record counts as proof that nothing was sent, so the hub may answer a
                 resend with an error, after which Zuora collects the same money by a new payment."""


class UndeclaredError(CommandError):
    """The command does not say what it declares."""

    exit_status = 2


def check_config(*, config: Sequence[Path], against: Sequence[Path], without_secrets: bool) -> int:
    """Check a configuration of the hub; print that it is good.

    Args:
        config: Its files.
        against: Files of the configuration of a running hub, which must be able to apply it; may be empty.
        without_secrets: Whether passwords, keys and certificates are not read.

    Raises:
        ConfigError: There are problems; it lists all of them.
    """

    def read(files: Sequence[Path]) -> HubDocument:
        return load_hub_document(*files) if without_secrets else load_hub(*files).document

    document = read(config)
    if against and (problems := [*hub_change_problems(read(against), document)]):
        raise ConfigError(f"against {source_of(against)}", problems)
    hubs, gateways = counted(len(document.upc.hubs), "hub"), counted(len(document.upc.gateways), "gateway")
    print(f"{source_of(config)}: OK; {hubs}, {gateways}")
    return 0


def init_store(*, config: Sequence[Path], first_start: bool, after_loss: bool) -> int:
    """Declare that the store has the record of every request from now on, unless that is declared already.

    Args:
        config: Files of the configuration.
        first_start: Whether no request was ever sent.
        after_loss: Whether records are lost, and no request is in Processing.

    Raises:
        ConfigError: The configuration cannot be used.
        UndeclaredError: Neither is said, or both are.
        CommandError: The store cannot be reached, or is none that another process has.
    """
    if first_start == after_loss:
        raise UndeclaredError(_UNDECLARED)
    configuration = load_hub(*config)
    if configuration.document.store.kind == "memory":
        raise UndeclaredError("store.kind: is memory, whose epoch the hub itself declares at each start.")
    try:
        earlier = asyncio.run(_declare(configuration))
    except StoreUnavailable as error:
        raise CommandError(f"The store cannot be used, and the epoch may be declared or not: {error}") from error
    print("The epoch is declared." if earlier is None else f"The epoch stays: it was declared {_since(earlier)}.")
    return 0


async def _declare(configuration: HubConfiguration) -> Epoch | None:
    clock = SystemClock()
    store = open_store(
        configuration.document.store,
        password=configuration.store_password,
        clock=clock,
        deadlines=Deadlines(clock),
    )
    try:
        return await declare_epoch(store, by="init-store", now_s=clock.now().timestamp())
    finally:
        await store.close()


def _since(epoch: Epoch) -> str:
    if not epoch.declared_at_s:
        return "earlier, at a time that cannot be read"
    return f"at {datetime.fromtimestamp(epoch.declared_at_s, UTC):%Y-%m-%dT%H:%M:%SZ} by {epoch.by}"
