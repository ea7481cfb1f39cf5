"""What the samples of a run come to: ratios of one round each, their median and their spread. Pure."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from programs.bench.levels import BUSY, CREATE_PAYMENT_METHOD, CREATE_SESSION, DECRYPT_APPLE_PAY, Level
from programs.bench.measure import Sample

SERVICE, AGAINST, UNEXPORTED, ECHO, HTTPX, AIOHTTP = "service", "against", "unexported", "echo", "httpx", "aiohttp"
NAIVE, NODE, GO = "naive", "node", "go"
REDIS, TLS, RULES = "redis", "tls", "rules"
DOWN, SLOW, REFUSING = "down", "slow", "refusing"
HUB, BRIDGE = "hub", "bridge"
EMULATOR = "emulator"
REFERENCE_ECHO_US: Final = 410.0
"""What a call of the echo cost where the goals for added cost were set."""
_LARGE: Final = 100
Round = Mapping[tuple[str, Level], Sample]
"""The samples of one round by row and level."""


@dataclass(frozen=True, slots=True)
class Figure:
    """The same thing, measured in several rounds."""

    median: float
    least: float
    most: float

    @property
    def spread(self) -> float:
        """Half of the distance between the least and the most, as a share of the median."""
        return abs((self.most - self.least) / 2 / self.median) if self.median else 0.0

    def __str__(self) -> str:
        digits = 2 if abs(self.median) < _LARGE else 0
        return f"{self.median:.{digits}f} ±{self.spread:.0%}"


def figure(values: Sequence[float]) -> Figure:
    """Return the median and the range of at least one value."""
    return Figure(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Ratio:
    """A row over the sum of others, at one level."""

    member: Literal["cpu", "p50", "p99"]
    above: str
    below: tuple[str, ...]

    @property
    def name(self) -> str:
        """For people."""
        below = " + ".join(self.below)
        return f"{self.member}: {self.above} / {f'({below})' if len(self.below) > 1 else below}"

    def value(self, measured: Round, level: Level) -> float | None:
        """Return the ratio in a round; None if one of its rows was not measured at the level."""
        if any((row, level) not in measured for row in (self.above, *self.below)):
            return None
        above, *below = (getattr(measured[row, level], f"{self.member}_us") for row in (self.above, *self.below))
        return float(above / sum(below))


@dataclass(frozen=True, slots=True)
class Added:
    """What a row costs more than a plain CreateSession of the service, in us where the echo costs what it did."""

    row: str
    rpc: str

    @property
    def name(self) -> str:
        """For people."""
        return f"us added by {self.rpc if self.row == SERVICE else self.row}"

    def value(self, measured: Round, level: Level) -> float | None:
        """Return the time in a round, with as many in flight as at the level; None if a row was not measured."""
        plain, changed = (SERVICE, Level(CREATE_SESSION, level.in_flight)), (self.row, Level(self.rpc, level.in_flight))
        echo = (ECHO, plain[1])
        if any(key not in measured for key in (plain, changed, echo)):
            return None
        return (measured[changed].cpu_us - measured[plain].cpu_us) * REFERENCE_ECHO_US / measured[echo].cpu_us


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should be at a level."""

    of: Ratio | Added
    limit: float
    in_flight: int = BUSY
    at_least: bool = False
    """Whether the limit is the least, not the most."""

    @property
    def level(self) -> Level:
        """Where it holds."""
        return Level(CREATE_SESSION, self.in_flight)

    def verdict(self, found: Figure) -> str:
        """Return whether the goal is reached or missed; open if the rounds disagree."""
        good = [value >= self.limit if self.at_least else value <= self.limit for value in (found.least, found.most)]
        return "reached" if all(good) else "open" if any(good) else "missed"


TO_FLOOR: Final = Ratio("cpu", SERVICE, (ECHO, HTTPX))
_TO_LEANER_FLOOR: Final = Ratio("cpu", SERVICE, (ECHO, AIOHTTP))
_NAIVE: Final = Ratio("cpu", NAIVE, (SERVICE,))
_NODE: Final = Ratio("cpu", SERVICE, (NODE,))
_GO: Final = Ratio("cpu", SERVICE, (GO,))
_EMULATOR: Final = Ratio("cpu", EMULATOR, (SERVICE,))
_TRACED_P99: Final = Ratio("p99", SERVICE, (UNEXPORTED,))
RATIOS: Final[Sequence[Ratio]] = (
    TO_FLOOR,
    _TO_LEANER_FLOOR,
    Ratio("cpu", SERVICE, (ECHO,)),
    _NAIVE,
    _NODE,
    _GO,
    Ratio("cpu", SERVICE, (AGAINST,)),
    Ratio("p50", SERVICE, (AGAINST,)),
    Ratio("cpu", REDIS, (SERVICE,)),
    Ratio("cpu", TLS, (SERVICE,)),
    Ratio("cpu", RULES, (SERVICE,)),
    Ratio("cpu", SERVICE, (UNEXPORTED,)),
    Ratio("p50", SERVICE, (UNEXPORTED,)),
    _TRACED_P99,
    *(Ratio("p99", row, (SERVICE,)) for row in (DOWN, SLOW, REFUSING)),
    Ratio("p50", SERVICE, (ECHO,)),
    Ratio("p99", SERVICE, (ECHO,)),
    Ratio("p50", NAIVE, (SERVICE,)),
    Ratio("cpu", HTTPX, (AIOHTTP,)),
    Ratio("cpu", HUB, (BRIDGE,)),
    Ratio("p50", HUB, (BRIDGE,)),
    _EMULATOR,
)
GOALS: Final[Sequence[Goal]] = (
    Goal(_TO_LEANER_FLOOR, 1.7),
    Goal(_NAIVE, 3.5, at_least=True),
    Goal(_NODE, 2.0),
    Goal(_GO, 3.5),
    Goal(Ratio("cpu", RULES, (SERVICE,)), 1.1),
    Goal(Added(REDIS, CREATE_SESSION), 350.0),
    Goal(Added(SERVICE, DECRYPT_APPLE_PAY), 300.0),
    Goal(Added(SERVICE, CREATE_PAYMENT_METHOD), 350.0),
    Goal(_TRACED_P99, 1.5, in_flight=1),
    Goal(_EMULATOR, 1.0),
)


def rounds_of(samples: Iterable[Sample]) -> Sequence[Round]:
    """Return the samples of each round."""
    rounds: dict[int, dict[tuple[str, Level], Sample]] = {}
    for sample in samples:
        rounds.setdefault(sample.round, {})[sample.row, sample.level] = sample
    return list(rounds.values())


def figure_of(what: Ratio | Added, rounds: Sequence[Round], level: Level) -> Figure | None:
    """Return a figure over the rounds; None if a row that it needs was not measured at the level."""
    values = [value for measured in rounds if (value := what.value(measured, level)) is not None]
    return figure(values) if values else None
