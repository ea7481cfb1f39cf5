import pytest
from harness.clock import FakeClock
from harness.intents import FailingStore, fingerprint, memory_store
from harness.keyring import counted_entropy
from harness.routes import route
from payorch_server.intents.intent_record import IntentRecord, Settlement, encode_record
from payorch_server.intents.token_guard import TokenGuard, token_name
from payorch_server.model.outcome import VERDICTS, Outcome, Reason
from payorch_server.store.memory import MemoryStore
from payorch_server.store.port import StoreUnavailable

KEEP_S = 100.0


async def write(store: MemoryStore, owner: str, settlement: Settlement | None = None) -> None:
    """Write an intent's record."""
    record = IntentRecord(fingerprint(), route(), "o", 0.0, 0.0, settlement=settlement)
    await store.put_if_absent(owner, encode_record(record), ttl_s=KEEP_S)


class Overtaken(MemoryStore):
    """A store in which another intent writes first."""

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl_s: float) -> bool:
        """Write after the other intent."""
        await super().compare_and_set(key, b"intent:c", version=version, ttl_s=ttl_s)
        return await super().compare_and_set(key, value, version=version, ttl_s=ttl_s)


class Late(MemoryStore):
    """A store that carries a deletion out after its time was up."""

    delays = False
    delayed: tuple[str, int]

    async def compare_and_delete(self, key: str, *, version: int) -> bool:
        """Delete, now or later."""
        if not self.delays:
            return await super().compare_and_delete(key, version=version)
        self.delayed = key, version
        raise StoreUnavailable("too slow")

    async def carry_out(self) -> bool:
        """Do it now."""
        key, version = self.delayed
        return await super().compare_and_delete(key, version=version)


class TestTokenName:
    """A token has one name, whichever RPC it comes through."""

    def test_hides_the_token(self) -> None:
        """64 hexadecimal digits; the transaction id may be written in capitals."""
        one = token_name(public_key_hash="h", transaction_id="ABCDEF")

        assert one == token_name(public_key_hash="h", transaction_id="abcdef")
        assert (len(one), "abcdef" in one) == (64, False)

    @pytest.mark.parametrize(("key_hash", "transaction"), [("h2", "t"), ("h", "t2")])
    def test_differs_between_tokens(self, key_hash: str, transaction: str) -> None:
        """Merchant and transaction both count."""
        other = token_name(public_key_hash=key_hash, transaction_id=transaction)

        assert other != token_name(public_key_hash="h", transaction_id="t")


class TestReplayGuard:
    """Another intent is refused while the first may have used the token."""

    @pytest.mark.asyncio
    async def test_gives_a_token_to_the_first(self) -> None:
        """And again to the same."""
        store = memory_store(FakeClock())
        guard = TokenGuard(store=store, keep_s=KEEP_S, entropy=counted_entropy())
        await write(store, "intent:a")

        assert [await guard.claim("t", owner="intent:a") for _ in range(2)] == [True, True]

    @pytest.mark.asyncio
    async def test_writes_a_version_that_the_store_accepts(self) -> None:
        """Also where all random bytes are zero."""
        store = memory_store(FakeClock())
        guard = TokenGuard(store=store, keep_s=KEEP_S, entropy=bytes)

        assert await guard.claim("t", owner="intent:a")

    @pytest.mark.asyncio
    @pytest.mark.parametrize("reason", [None, "", *(reason.name for reason in Reason)], ids=str)
    async def test_decides_by_how_the_first_ended(self, reason: str | None) -> None:
        """In flight, done, partial, unknown or seen by a gateway: refused. None: no settlement; empty: success."""
        store = memory_store(FakeClock())
        guard = TokenGuard(store=store, keep_s=KEEP_S, entropy=counted_entropy())
        await write(store, "intent:a", None if reason is None else Settlement(reason))
        await write(store, "intent:b")
        await guard.claim("t", owner="intent:a")

        free = await guard.claim("t", owner="intent:b")

        assert free == (bool(reason) and TokenGuard.is_released_by(Reason[str(reason)]))
        if free:
            assert not await guard.claim("t", owner="intent:a")

    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_is_released_by_refusals_alone(self, reason: Reason) -> None:
        """Never by what may have been executed, and never by a gateway's decline."""
        if TokenGuard.is_released_by(reason):
            assert VERDICTS[reason].outcome is Outcome.REFUSED
            assert reason is not Reason.PAYMENT_DECLINED

    @pytest.mark.asyncio
    async def test_takes_an_entry_without_a_record_for_free(self) -> None:
        """Its intent was forgotten because nothing was sent."""
        store = memory_store(FakeClock())
        guard = TokenGuard(store=store, keep_s=KEEP_S, entropy=counted_entropy())
        await guard.claim("t", owner="intent:a")

        assert await guard.claim("t", owner="intent:b")

    @pytest.mark.asyncio
    async def test_gives_a_free_token_to_one_of_two(self) -> None:
        """Both find it free; the one whose write comes second looks again."""
        store = Overtaken(clock=FakeClock(), max_entries=10)
        for owner in ("intent:b", "intent:c"):
            await write(store, owner)
        await store.put_if_absent("token:t", b"intent:forgotten", ttl_s=KEEP_S)

        assert not await TokenGuard(store=store, keep_s=KEEP_S, entropy=counted_entropy()).claim("t", owner="intent:b")

    @pytest.mark.asyncio
    async def test_releases_for_the_owner_alone(self) -> None:
        """Somebody else's release changes nothing."""
        store = memory_store(FakeClock())
        guard = TokenGuard(store=store, keep_s=KEEP_S, entropy=counted_entropy())
        await write(store, "intent:a")
        await guard.claim("t", owner="intent:a")

        await guard.release("t", owner="intent:b")
        kept = not await guard.claim("t", owner="intent:b")
        await guard.release("t", owner="intent:a")

        assert (kept, await guard.claim("t", owner="intent:b")) == (True, True)

    @pytest.mark.asyncio
    async def test_releases_what_is_not_there(self) -> None:
        """The entry may have expired, and no failure of ours may take the place of Zuora's answer."""
        store = memory_store(FakeClock())
        guard = TokenGuard(store=store, keep_s=KEEP_S, entropy=counted_entropy())

        await guard.release("t", owner="intent:a")

        assert await guard.claim("t", owner="intent:a")

    @pytest.mark.asyncio
    async def test_releases_nothing_without_a_token(self) -> None:
        """Most intents have none, so the store is not even asked."""
        asked: list[str] = []

        def fails(operation: str, _key: str) -> bool:
            asked.append(operation)
            return True

        store = FailingStore(memory_store(FakeClock()), fails=fails)

        await TokenGuard(store=store, keep_s=KEEP_S, entropy=counted_entropy()).release("", owner="intent:a")

        assert [] == asked

    @pytest.mark.asyncio
    @pytest.mark.parametrize("released_between", [True, False])
    async def test_that_happens_late_frees_no_token_that_was_claimed_since(self, *, released_between: bool) -> None:
        """The store was too slow for the release, and carries it out when the intent has been sent after all."""
        late = Late(clock=FakeClock(), max_entries=10)
        guard = TokenGuard(store=late, keep_s=KEEP_S, entropy=counted_entropy())
        await write(late, "intent:a")
        await guard.claim("t", owner="intent:a")
        late.delays = True
        with pytest.raises(StoreUnavailable):
            await guard.release("t", owner="intent:a")
        late.delays = False

        await guard.claim("t", owner="intent:a")
        if released_between:
            await guard.release("t", owner="intent:a")
            await guard.claim("t", owner="intent:a")
        assert not await late.carry_out()

        assert not await guard.claim("t", owner="intent:b")
