"""What differs between runs of the hub's world, drawn again for each."""

import dataclasses
import random
from dataclasses import dataclass

HOUR_S = 3_600.0
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpcChoices:
    """The choices of one run."""

    storm: float
    """Factor on the probabilities of faults on the network and in gateways."""
    store_trouble: bool
    """Whether the store fails at all."""
    replicas: int
    skew_s: float
    """How far the time of day of a replica may be off."""
    resends: str
    """Whether Zuora re-sends hourly for 48 hours, or never: this is not documented."""
    trouble_days: float
    """How long things go wrong."""
    drops_old_key: bool
    """Whether the fleet's old key is removed although records still need it."""
    kinds: tuple[str, str]
    """How the two gateways behave: see gateway_kinds.py."""
    remembers_days: tuple[int, int]
    """How long each of them keeps to `idempotent_for`."""

    def named(self) -> list[str]:
        """Return each choice with its value, for counting."""
        return [
            *(
                f"{field.name}={getattr(self, field.name)}"
                for field in dataclasses.fields(self)
                if field.name not in {"kinds", "remembers_days"}
            ),
            *(f"kind={kind}" for kind in self.kinds),
            *(f"remembers={days} days" for days in self.remembers_days),
        ]


def drawn_choices(rng: random.Random) -> UpcChoices:
    """Toss all choices."""
    kinds = ("looks_up", "looks_up", "no_look_up", "hasty", "forgetful")
    return UpcChoices(
        storm=rng.choice((0.4, 1.0, 1.0, 2.0)),
        store_trouble=rng.random() < 0.6,
        replicas=rng.choice((2, 2, 3)),
        skew_s=rng.choice((0.0, 2.0)),
        resends=rng.choice(("hourly", "hourly", "never")),
        trouble_days=rng.choice((3.5, 32.0)),
        drops_old_key=rng.random() < 0.1,
        kinds=(rng.choice(kinds), rng.choice(kinds)),
        remembers_days=(rng.choice((3, 30)), rng.choice((3, 30))),
    )
