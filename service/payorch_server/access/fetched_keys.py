"""Fetched keys of issuers: kept fresh, used while their issuer's server is away, and dropped when they are too old."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from payorch_server.access.bearer import KeySet
from payorch_server.access.key_fetching import FetchedKeySet
from payorch_server.access.key_source import KeyFetchError, KeySource
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner

_LOG: Final = structlog.get_logger("payorch.access")
MIN_INTERVAL_S: Final = 10.0
"""Between the end of a fetch and the next that a token with an unknown key causes."""
RETRY_S: Final = 10.0
MAX_RETRY_S: Final = 300.0
_MAX_DOUBLINGS: Final = 5
_JITTER: Final = 0.1
"""Part of a wait by which it may be shorter, so that replicas do not fetch together."""


class KeyClient(Protocol):
    """Fetches the keys of an issuer."""

    async def fetch(self, source: KeySource) -> FetchedKeySet:
        """Return the keys, or raise KeyFetchError."""
        ...


@dataclass(slots=True)
class _Issuer:
    """What is known of an issuer's keys."""

    source: KeySource
    keys: KeySet | None = None
    """The last good ones."""
    fetched_s: float = -math.inf
    """When their fetch began, on the monotonic clock."""
    fresh_s: float = 0.0
    """How long they need not be fetched again."""
    ended_s: float = -math.inf
    """When the last fetch ended, on the monotonic clock."""
    failures: int = 0
    """How many fetches have failed since the last success."""
    fetch: asyncio.Task[None] | None = None
    """The one that is under way."""


class FetchedKeys:
    """The fetched keys of issuers, by the issuer's name in the settings."""

    def __init__(
        self,
        sources: Mapping[str, KeySource],
        *,
        client: KeyClient,
        clock: Clock,
        tasks: TaskOwner,
        deadlines: Deadlines,
        max_waiting: int,
        uniform: Callable[[float, float], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Have no keys yet.

        Args:
            sources: Where the keys of each issuer come from.
            client: Fetches them.
            clock: For their ages.
            tasks: Owns the fetches.
            deadlines: Of the process.
            max_waiting: How many calls may wait for a fetch at a time. They are in progress meanwhile, and tokens with
                invented keys, which cost a stranger nothing, shall not fill the server while an issuer answers slowly.
            uniform: Draws from an interval.
            sleep: Waits between the fetches.
        """
        self._issuers = {name: _Issuer(source) for name, source in sources.items()}
        self._client = client
        self._clock = clock
        self._tasks = tasks
        self._deadlines = deadlines
        self._max_waiting, self._waiting = max_waiting, 0
        self._uniform = uniform
        self._sleep = sleep
        self._first = asyncio.Event()

    def __repr__(self) -> str:
        with_keys = sum(issuer.keys is not None for issuer in self._issuers.values())
        return f"FetchedKeys({len(self._issuers)} issuers, {with_keys} with keys)"

    def __contains__(self, name: str) -> bool:
        return name in self._issuers

    def begin(self) -> None:
        """Start to fetch the keys of every issuer, again and again."""
        for name in self._issuers:
            _ = self._tasks.start_shared(self._keep_fresh(name), name=f"keep keys of {name}")

    async def wait_for_first(self) -> None:
        """Wait until the keys of one issuer at least have been fetched, if there is an issuer."""
        if self._issuers:
            await self._first.wait()

    def key_set(self, name: str) -> KeySet | None:
        """Return the last good keys of an issuer; None if there are none, or they are too old."""
        issuer = self._issuers[name]
        return issuer.keys if self._age_s(issuer) <= issuer.source.max_age_s else None

    def ages_s(self) -> Mapping[str, float | None]:
        """Return how old the keys of each issuer are; None where there are none yet."""
        return {name: self._age_s(issuer) if issuer.keys else None for name, issuer in self._issuers.items()}

    def usable(self) -> Mapping[str, bool]:
        """Return whether tokens of each issuer can be checked."""
        return {name: self.key_set(name) is not None for name in self._issuers}

    async def renew(self, name: str, *, within_s: float) -> bool:
        """Fetch the keys of an issuer again, or wait for a fetch that is under way, unless one has just ended.

        Args:
            name: Of the issuer.
            within_s: How long to wait; the fetch itself continues for others.

        Returns:
            Whether they are now those that the issuer published a moment ago; False at once if too many wait already.
        """
        issuer = self._issuers[name]
        if issuer.fetch is None and self._clock.monotonic() - issuer.ended_s >= MIN_INTERVAL_S:
            _ = self._start(name)
        if issuer.fetch is not None:
            if self._waiting >= self._max_waiting:
                return False
            self._waiting += 1
            try:
                await self._deadlines.result_of(issuer.fetch, within_s=within_s)
            except TimeoutError:
                return False
            finally:
                self._waiting -= 1
        return not issuer.failures

    def _age_s(self, issuer: _Issuer) -> float:
        return self._clock.monotonic() - issuer.fetched_s

    async def _keep_fresh(self, name: str) -> None:
        issuer = self._issuers[name]
        while True:
            await (issuer.fetch or self._start(name))
            wait_s = _retry_s(issuer.failures) if issuer.failures else issuer.fresh_s
            await self._sleep(self._uniform(wait_s * (1 - _JITTER), wait_s))

    def _start(self, name: str) -> asyncio.Task[None]:
        issuer = self._issuers[name]
        issuer.fetch = self._tasks.start_shared(self._fetch(name, issuer), name=f"fetch keys of {name}")
        return issuer.fetch

    async def _fetch(self, name: str, issuer: _Issuer) -> None:
        started_s = self._clock.monotonic()
        try:
            fetched = await self._client.fetch(issuer.source)
        except KeyFetchError as error:
            self._note_failure(name, issuer, str(error))
        except Exception as unforeseen:  # noqa: BLE001 - fetching would end silently, and key rotation with it
            self._note_failure(name, issuer, f"the keys cannot be fetched: {type(unforeseen).__name__}")
        else:
            self._note_success(name, issuer, fetched, started_s)
        finally:
            issuer.fetch, issuer.ended_s = None, self._clock.monotonic()

    def _note_success(self, name: str, issuer: _Issuer, fetched: FetchedKeySet, started_s: float) -> None:
        before = tuple(issuer.keys.keys) if issuer.keys else ()
        after = tuple(fetched.keys.keys)
        if issuer.failures or set(before) != set(after):
            skipped = list(fetched.keys.skipped[:_MAX_SHOWN])
            _LOG.info(
                "issuer_keys_fetched", issuer=name, kids=_shown(after), kids_before=_shown(before), skipped=skipped
            )
        issuer.keys, issuer.fresh_s, issuer.fetched_s, issuer.failures = fetched.keys, fetched.fresh_s, started_s, 0
        self._first.set()

    def _note_failure(self, name: str, issuer: _Issuer, detail: str) -> None:
        issuer.failures += 1
        age_s = round(self._age_s(issuer), 1) if issuer.keys else None
        usable = self.key_set(name) is not None
        _LOG.warning("issuer_keys_not_fetched", issuer=name, detail=detail, age_s=age_s, still_used=usable)


def _retry_s(failures: int) -> float:
    doublings = min(failures - 1, _MAX_DOUBLINGS)
    return min(RETRY_S * float(2**doublings), MAX_RETRY_S)


_MAX_SHOWN: Final = 20
_MAX_KID_CHARACTERS: Final = 64


def _shown(kids: tuple[str, ...]) -> list[str]:
    """Return kids, which are the issuer's text, as they may stand in a log line."""
    return [kid[:_MAX_KID_CHARACTERS] for kid in sorted(kids)[:_MAX_SHOWN]]
