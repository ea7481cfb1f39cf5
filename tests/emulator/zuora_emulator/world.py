"""Everything a call can touch, in one place."""

from dataclasses import dataclass, field

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

    def reset(self) -> None:
        """Go back to the seed: no calls, faults, tokens, payments."""
        self.state = seeded()
        self.limits.clear()
        for book in (self.ledger, self.journal, self.faults, self.idempotency):
            book.clear()
