"""Everything a call can touch, in one place."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from zuora_emulator.apple_tokens import TokenOpener
from zuora_emulator.clock import Clock
from zuora_emulator.faults import Faults
from zuora_emulator.idempotency import Idempotency
from zuora_emulator.ids import Ids
from zuora_emulator.journal import Journal
from zuora_emulator.ledger import Ledger
from zuora_emulator.limits import Limits
from zuora_emulator.seed import seeded
from zuora_emulator.settings import Settings
from zuora_emulator.state import State
from zuora_emulator.upc import Upc

_Result = TypeVar("_Result")


@dataclass(slots=True, kw_only=True)
class World:
    """The emulated Zuora."""

    settings: Settings
    clock: Clock
    ids: Ids
    opener: TokenOpener
    limits: Limits
    idempotency: Idempotency
    state: State = field(default_factory=seeded)
    ledger: Ledger = field(default_factory=Ledger)
    journal: Journal = field(default_factory=Journal)
    faults: Faults = field(default_factory=Faults)
    upc: Upc = field(init=False)
    _tasks: set["asyncio.Task[Any]"] = field(default_factory=set, repr=False)

    async def finished_anyway(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Run something to its end, although the caller that waits for it may leave."""
        task = asyncio.create_task(work)  # noqa: TID251 - kept below until it ends
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    def reset(self) -> None:
        """Go back to the seed: no calls, faults, tokens, payments."""
        self.state = seeded()
        self.upc.reset(self.state)
        self.limits.clear()
        for book in (self.ledger, self.journal, self.faults, self.idempotency):
            book.clear()
