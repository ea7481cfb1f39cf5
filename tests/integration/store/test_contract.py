"""What every store promises, tried on each of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio
from harness.clock import FakeClock
from harness.redis_server import RedisServer
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from integration.store.conftest import PATIENT_S, fresh_prefix
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.store.memory import MemoryStore
from payorch_server.store.port import MAX_VALUE_BYTES, Store, StoredValue, StoreUnavailable
from payorch_server.store.redis import RedisStore
from payorch_server.store.settings import StoreSettings

KINDS = ["memory", "redis"]
TTL_S = 60.0


@dataclass
class Kind:
    """A kind of store, and how its time passes."""

    open: Callable[[], Store]
    clock: FakeClock | None

    async def wait_until_gone(self, store: Store, key: str, ttl_s: float) -> None:
        """Let time pass until the key has expired."""
        if self.clock is not None:
            self.clock.advance(ttl_s)
        while await store.get(key) is not None:
            assert self.clock is None
            await asyncio.sleep(0.01)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind in turn."""
    if request.param == "memory":
        clock = FakeClock()
        return Kind(lambda: MemoryStore(clock=clock, max_entries=1000), clock)
    server: RedisServer = request.getfixturevalue("shared_server")
    return Kind(
        lambda: RedisStore(
            StoreSettings(
                kind="redis",
                url=server.url,
                prefix=fresh_prefix(),
                connect_timeout_s=PATIENT_S,
                operation_timeout_s=PATIENT_S,
            ),
            deadlines=Deadlines(SystemClock()),
        ),
        None,
    )


@pytest_asyncio.fixture
async def store(kind: Kind) -> AsyncIterator[Store]:
    """An empty store."""
    store = kind.open()
    yield store
    await store.close()


@pytest.mark.asyncio
class TestPutIfAbsent:
    """put_if_absent."""

    async def test_stores_what_was_absent(self, store: Store) -> None:
        """The first writer learns that it is the first, and its record has version 1."""
        assert await store.put_if_absent("k", b"mine", ttl_s=TTL_S) is None

        assert await store.get("k") == StoredValue(b"mine", 1)

    async def test_returns_what_is_there(self, store: Store) -> None:
        """The second writer sees the first one's record and changes nothing."""
        await store.put_if_absent("k", b"mine", ttl_s=TTL_S, version=77)

        assert await store.put_if_absent("k", b"yours", ttl_s=TTL_S) == StoredValue(b"mine", 77)
        assert await store.get("k") == StoredValue(b"mine", 77)

    @pytest.mark.parametrize(
        "value", [b"", b"\0\r\n\xff" * 3, bytes(MAX_VALUE_BYTES)], ids=["empty", "binary", "largest"]
    )
    async def test_keeps_bytes_as_they_are(self, store: Store, value: bytes) -> None:
        """Values are opaque."""
        await store.put_if_absent("k", value, ttl_s=TTL_S)

        assert await store.get("k") == StoredValue(value, 1)

    async def test_has_exactly_one_winner(self, store: Store) -> None:
        """A hundred writers at once: one stores, all others see that one's value."""
        values = [b"writer %d" % number for number in range(100)]

        answers = await asyncio.gather(*(store.put_if_absent("k", value, ttl_s=TTL_S) for value in values))

        winners = [value for value, answer in zip(values, answers, strict=True) if answer is None]
        assert len(winners) == 1
        assert {answer for answer in answers if answer} == {StoredValue(winners[0], 1)}

    async def test_keeps_keys_apart(self, store: Store) -> None:
        """Keys differ by every character."""
        keys = ["k", "K", "k ", "k:1", "ключ", "k\n"]

        assert [await store.put_if_absent(key, key.encode(), ttl_s=TTL_S) for key in keys] == [None] * len(keys)
        assert [await store.get(key) for key in keys] == [StoredValue(key.encode(), 1) for key in keys]


@pytest.mark.asyncio
class TestCompareAndSet:
    """compare_and_set."""

    async def test_replaces_the_version_it_was_told(self, store: Store) -> None:
        """Each write adds one to the version."""
        await store.put_if_absent("k", b"one", ttl_s=TTL_S)

        assert await store.compare_and_set("k", b"two", version=1, ttl_s=TTL_S)
        assert await store.get("k") == StoredValue(b"two", 2)

    @pytest.mark.parametrize("version", [1, 3, 2**63 - 1])
    async def test_leaves_another_version_alone(self, store: Store, version: int) -> None:
        """A writer that saw an older record changes nothing."""
        await store.put_if_absent("k", b"one", ttl_s=TTL_S, version=2)

        assert not await store.compare_and_set("k", b"two", version=version, ttl_s=TTL_S)
        assert await store.get("k") == StoredValue(b"one", 2)

    async def test_makes_nothing_of_nothing(self, store: Store) -> None:
        """What is gone stays gone."""
        assert not await store.compare_and_set("k", b"two", version=1, ttl_s=TTL_S)
        assert await store.get("k") is None

    async def test_has_exactly_one_winner(self, store: Store) -> None:
        """A hundred writers that saw the same version: one replaces it."""
        await store.put_if_absent("k", b"", ttl_s=TTL_S)
        values = [b"writer %d" % number for number in range(100)]

        answers = await asyncio.gather(*(store.compare_and_set("k", value, version=1, ttl_s=TTL_S) for value in values))

        assert answers.count(True) == 1
        assert await store.get("k") == StoredValue(values[answers.index(True)], 2)

    async def test_misses_a_later_record_of_the_same_key(self, store: Store) -> None:
        """A writer whose record was deleted cannot hit its successor when versions start at random."""
        await store.put_if_absent("k", b"old", ttl_s=TTL_S, version=4_611_686_018_427_387_903)
        await store.compare_and_delete("k", version=4_611_686_018_427_387_903)
        await store.put_if_absent("k", b"new", ttl_s=TTL_S, version=17)

        assert not await store.compare_and_set("k", b"late", version=4_611_686_018_427_387_903, ttl_s=TTL_S)
        assert not await store.compare_and_delete("k", version=4_611_686_018_427_387_903)
        assert await store.get("k") == StoredValue(b"new", 17)


@pytest.mark.asyncio
class TestCompareAndDelete:
    """compare_and_delete."""

    async def test_deletes_the_version_it_was_told(self, store: Store) -> None:
        """The key is free again."""
        await store.put_if_absent("k", b"one", ttl_s=TTL_S)

        assert await store.compare_and_delete("k", version=1)
        assert await store.get("k") is None
        assert await store.put_if_absent("k", b"two", ttl_s=TTL_S) is None

    async def test_leaves_another_version_alone(self, store: Store) -> None:
        """Neither another version nor an absent key is an error."""
        await store.put_if_absent("k", b"one", ttl_s=TTL_S)

        assert not await store.compare_and_delete("k", version=2)
        assert not await store.compare_and_delete("absent", version=1)
        assert await store.get("k") == StoredValue(b"one", 1)


@pytest.mark.asyncio
class TestExpiry:
    """Time to live."""

    async def test_ends_a_record(self, kind: Kind, store: Store) -> None:
        """An expired key is absent for every operation."""
        await store.put_if_absent("k", b"one", ttl_s=0.05)

        await kind.wait_until_gone(store, "k", 0.05)

        assert not await store.compare_and_set("k", b"two", version=1, ttl_s=TTL_S)
        assert not await store.compare_and_delete("k", version=1)
        assert await store.put_if_absent("k", b"three", ttl_s=TTL_S) is None

    async def test_is_set_anew_by_every_write(self, kind: Kind, store: Store) -> None:
        """A shorter one ends the record sooner, a longer one keeps it beyond the first end."""
        await store.put_if_absent("shortened", b"", ttl_s=TTL_S)
        await store.put_if_absent("prolonged", b"", ttl_s=1.0)

        assert await store.compare_and_set("shortened", b"", version=1, ttl_s=1.1)
        assert await store.compare_and_set("prolonged", b"", version=1, ttl_s=TTL_S)

        await kind.wait_until_gone(store, "shortened", 1.1)
        assert await store.get("prolonged") == StoredValue(b"", 2)


@pytest.mark.asyncio
class TestLimits:
    """What no store accepts."""

    @pytest.mark.parametrize(
        ("wrong", "reason"),
        [
            ({"value": bytes(MAX_VALUE_BYTES + 1)}, "too large"),
            ({"ttl_s": 0.0}, "gone at once"),
            ({"ttl_s": float("inf")}, "never gone"),
            ({"ttl_s": float("nan")}, "no time"),
            ({"version": 0}, "no version"),
            ({"version": 2**63}, "too large a version"),
        ],
    )
    async def test_are_refused_before_anything_happens(
        self, store: Store, wrong: dict[str, object], reason: str
    ) -> None:
        """The same in every store, so that memory in tests stands for Redis in production."""
        arguments = {"value": b"", "ttl_s": TTL_S, "version": 1, **wrong}
        for write in (store.put_if_absent, store.compare_and_set):
            with pytest.raises(ValueError, match=r"a value has|a time to live|a version"):
                await write("k", **arguments)

        assert await store.get("k") is None, reason


@pytest.mark.asyncio
class TestLife:
    """check and close."""

    async def test_check_passes_and_changes_no_record(self, store: Store) -> None:
        """A healthy store passes, and again."""
        await store.put_if_absent("k", b"kept", ttl_s=TTL_S)

        await store.check()
        await store.check()

        assert await store.get("k") == StoredValue(b"kept", 1)

    async def test_close_ends_every_operation(self, store: Store) -> None:
        """A closed store says so instead of opening anew."""
        await store.put_if_absent("k", b"", ttl_s=TTL_S)
        await store.close()
        await store.close()

        for call in (
            store.get("k"),
            store.check(),
            store.put_if_absent("k", b"", ttl_s=TTL_S),
            store.compare_and_set("k", b"", version=1, ttl_s=TTL_S),
            store.compare_and_delete("k", version=1),
        ):
            with pytest.raises(StoreUnavailable, match="closed"):
                await call

    async def test_repr_shows_no_record(self, store: Store) -> None:
        """Neither the store nor a record prints a value."""
        await store.put_if_absent("k-canary", b"v-canary", ttl_s=TTL_S)

        assert "canary" not in repr(store) + repr(await store.get("k-canary"))


class StoreMachine(RuleBasedStateMachine):
    """Compares a store with a dictionary."""

    kind: Kind

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = self.runner.run(self.opened())
        self.model: dict[str, tuple[StoredValue, float]] = {}

    async def opened(self) -> Store:
        """Open it on this machine's loop."""
        return self.kind.open()

    def teardown(self) -> None:
        """Release sockets and loop."""
        self.runner.run(self.store.close())
        self.runner.close()

    @property
    def now_s(self) -> float:
        """The time, which stands still for Redis."""
        return self.kind.clock.monotonic() if self.kind.clock else 0.0

    def held(self, key: str) -> StoredValue | None:
        """What the model holds."""
        stored, expires_s = self.model.get(key, (None, 0.0))
        return stored if expires_s > self.now_s else None

    keys = st.sampled_from(["a", "b", "c"])
    values = st.binary(max_size=20)
    ttls = st.integers(min_value=10, max_value=100)
    versions = st.integers(min_value=1, max_value=4) | st.integers(min_value=1, max_value=2**62)

    @rule(key=keys)
    def get(self, key: str) -> None:
        """Look."""
        assert self.runner.run(self.store.get(key)) == self.held(key)

    @rule(key=keys, value=values, ttl_s=ttls, version=versions)
    def put_if_absent(self, key: str, value: bytes, ttl_s: int, version: int) -> None:
        """Store."""
        expected = self.held(key)
        if expected is None:
            self.model[key] = (StoredValue(value, version), self.now_s + ttl_s)

        assert self.runner.run(self.store.put_if_absent(key, value, ttl_s=ttl_s, version=version)) == expected

    @rule(key=keys, value=values, ttl_s=ttls, version=versions, current=st.booleans())
    def compare_and_set(self, key: str, value: bytes, ttl_s: int, version: int, *, current: bool) -> None:
        """Replace, mostly with a version that is there."""
        held = self.held(key)
        version = held.version if held and current else version
        expected = held is not None and held.version == version
        if expected:
            self.model[key] = (StoredValue(value, version + 1), self.now_s + ttl_s)

        assert self.runner.run(self.store.compare_and_set(key, value, version=version, ttl_s=ttl_s)) == expected

    @rule(key=keys, version=versions, current=st.booleans())
    def compare_and_delete(self, key: str, version: int, *, current: bool) -> None:
        """Delete."""
        held = self.held(key)
        version = held.version if held and current else version
        expected = held is not None and held.version == version
        if expected:
            del self.model[key]

        assert self.runner.run(self.store.compare_and_delete(key, version=version)) == expected

    @precondition(lambda self: self.kind.clock is not None)
    @rule(seconds=st.integers(min_value=1, max_value=60))
    def let_time_pass(self, seconds: int) -> None:
        """Move the clock, where it is ours."""
        assert self.kind.clock is not None
        self.kind.clock.advance(seconds)


def test_behaves_like_a_dictionary_with_versions(kind: Kind) -> None:
    """Any sequence of operations has the answers of a simple model."""
    machine = type("Machine", (StoreMachine,), {"kind": kind})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
