"""This version and a released one on one Redis: what that one left there is replayed, continued or refused."""

import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from harness.clock import FakeClock
from harness.intents import at_most
from harness.keyring import counted_entropy
from harness.redis_server import RedisServer
from harness.released import RELEASES, as_in_redis, keyring_of, stored_keys
from harness.stored_by_hub import APPROVED, REFUSED, SENDS, key_of
from harness.stored_by_service import INTENTS, NAMESPACE, TOKEN, ServiceReplica, StoredIntent
from integration.store.conftest import Stores, fresh_prefix
from payorch_server.intents.ledger import CLOCK_SKEW_S, LEASE_S
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Reason
from payorch_server.store.keyring import Keyring
from payorch_server.store.redis import RedisStore
from payorch_server.upc.answers import Situation
from payorch_server.upc.epoch import read_epoch
from payorch_server.upc.hub_ledger import HubClaim, HubLedger, RecordedAnswer
from payorch_server.upc.hub_record import HubRecord, decode_hub_record, record_key, validation_fingerprint
from payorch_server.upc.request import idempotency_key
from redis import Redis

FAILED = [name for name, intent in INTENTS.items() if isinstance(intent.answer, CallError) and "doubt" not in name]
SUCCEEDED = [
    name for name, intent in INTENTS.items() if intent.answer is not None and not isinstance(intent.answer, CallError)
]
IN_DOUBT = [name for name in INTENTS if "in doubt" in name]
RESULTS = {INTENTS[name].rpc: INTENTS[name].answer for name in SUCCEEDED}
HELD = INTENTS["being executed"]
_RANDOM_OF_THIS_VERSION = 1_000


@dataclass(slots=True)
class Left:
    """A Redis as a release left it, under a prefix of its own, and the keys of its fleet."""

    store: RedisStore
    keyring: Keyring
    raw: Redis
    prefix: str
    clock: FakeClock = dataclasses.field(default_factory=FakeClock)

    def replica(self) -> ServiceReplica:
        """Start a replica of this version; polls let its time pass."""
        replica = ServiceReplica(self.store, self.keyring, first_random=_RANDOM_OF_THIS_VERSION, uniform=self._passing)
        self.clock = replica.clock
        self.clock.advance(60)
        return replica

    def _passing(self, _low: float, high: float) -> float:
        self.clock.advance(high)
        return 0.0

    def hub(self) -> HubLedger:
        """Start a hub of this version, as far as it stores something."""
        entropy = counted_entropy(_RANDOM_OF_THIS_VERSION)
        return HubLedger(
            store=self.store, keyring=self.keyring, clock=self.clock, uniform=at_most, entropy=entropy, keep_s=1e6
        )


@pytest_asyncio.fixture(params=RELEASES)
async def left(request: pytest.FixtureRequest, shared_server: RedisServer, stores: Stores) -> AsyncIterator[Left]:
    """A Redis as each release left it."""
    prefix = fresh_prefix()
    with Redis(port=shared_server.port) as raw:
        for stored in stored_keys(request.param):
            raw.set(prefix + stored.key, stored.value, px=int(stored.ttl_s * 1000))
        keyring = keyring_of(request.param, entropy=counted_entropy(_RANDOM_OF_THIS_VERSION))
        yield Left(stores.open(shared_server, prefix=prefix), keyring, raw, prefix)


def reason_of(ended: Any) -> Reason:
    """Return why a call failed."""
    assert isinstance(ended, CallError), ended
    return ended.failure.reason


class TestIntents:
    """Intents of a release."""

    @pytest.mark.parametrize("name", SUCCEEDED)
    @pytest.mark.asyncio
    async def test_replay_their_results(self, left: Left, name: str) -> None:
        """Unsealed, with nothing sent."""
        ended, operation = await left.replica().execute(INTENTS[name])

        assert (ended.value, ended.replayed, operation.earlier) == (INTENTS[name].answer, True, [])

    @pytest.mark.parametrize("name", FAILED)
    @pytest.mark.asyncio
    async def test_replay_their_failures(self, left: Left, name: str) -> None:
        """With the codes of Zuora and the ids of what exists, and nothing sent."""
        ended, operation = await left.replica().execute(INTENTS[name])

        assert (reason_of(ended), operation.earlier) == (reason_of(INTENTS[name].answer), [])
        assert ended.failure.evidence == INTENTS[name].answer.failure.evidence

    @pytest.mark.parametrize("name", IN_DOUBT)
    @pytest.mark.asyncio
    async def test_are_continued_when_in_doubt(self, left: Left, name: str) -> None:
        """As a resend under the same key."""
        created = dataclasses.replace(INTENTS[name], answer=RESULTS[INTENTS[name].rpc])

        ended, operation = await left.replica().execute(created)

        assert ended.value == created.answer
        assert [earlier.doubtful for earlier in operation.earlier] == [True]

    @pytest.mark.asyncio
    async def test_wait_while_the_other_version_executes_them(self, left: Left) -> None:
        """Its lease keeps this version away."""
        ended, operation = await left.replica().execute(HELD, seconds=3)

        assert (reason_of(ended), operation.earlier) == (Reason.STILL_RUNNING, [])

    @pytest.mark.asyncio
    async def test_are_taken_over_after_the_lease(self, left: Left) -> None:
        """A replica of the other version that died leaves no intent behind."""
        replica = left.replica()
        replica.clock.advance(LEASE_S + CLOCK_SKEW_S)

        ended, operation = await replica.execute(dataclasses.replace(HELD, answer=RESULTS[HELD.rpc]))

        assert ended.value == RESULTS[HELD.rpc]
        assert [earlier.doubtful for earlier in operation.earlier] == [True]

    @pytest.mark.parametrize("name", INTENTS)
    @pytest.mark.asyncio
    async def test_refuse_another_request(self, left: Left, name: str) -> None:
        """The fingerprints of both versions are compared, and the field is named."""
        changed: Any = INTENTS[name].message()
        changed.route.attributes["brand"] = "south"

        ended, operation = await left.replica().execute(INTENTS[name], message=changed)

        assert (reason_of(ended), operation.earlier) == (Reason.INTENT_MISMATCH, [])
        assert 'route.attributes["brand"]' in {violation.field for violation in ended.failure.violations}

    @pytest.mark.asyncio
    async def test_keep_their_tokens(self, left: Left) -> None:
        """A token that the other version used is refused to another intent, and one that it released is not."""
        replica, other = left.replica(), StoredIntent("DecryptApplePay", "order-99-attempt-001", RESULTS[HELD.rpc])

        reused, _ = await replica.execute(dataclasses.replace(other, token=TOKEN))
        released, _ = await replica.execute(dataclasses.replace(other, token="released-token"))

        assert reason_of(reused) is Reason.APPLE_PAY_TOKEN_REUSED
        assert released.value == other.answer


class TestOperatorsRecords:
    """What operators ask for."""

    @pytest.mark.parametrize("name", [name for name in INTENTS if INTENTS[name].answer is not None])
    @pytest.mark.asyncio
    async def test_of_calls_are_found(self, left: Left, name: str) -> None:
        """By their Track-Id: each execution and its call."""
        found = await left.replica().history.of(INTENTS[name].track_id, namespace=NAMESPACE)

        executions = INTENTS[name].executions
        assert sorted(record.kind for record in found) == ["call", *["execution"] * executions]
        assert {record.route.tenant for record in found} == {"acme"}

    @pytest.mark.asyncio
    async def test_of_intents_in_doubt_are_listed(self, left: Left) -> None:
        """With their records."""
        listed = await left.replica().unsettled.read(namespaces=[NAMESPACE], tenant="", at_most=100)

        assert {note.request_id for note, record in listed.intents if record} == {
            INTENTS[name].request_id for name in [*IN_DOUBT, "settled as unknown"]
        }

    @pytest.mark.asyncio
    async def test_take_further_ones(self, left: Left) -> None:
        """Records of both versions are in one value."""
        replica, intent = left.replica(), INTENTS["declined"]
        await replica.record_call(intent, None)

        found = await left.replica().history.of(intent.track_id, namespace=NAMESPACE)

        assert len(found) == 3


class TestHub:
    """Payments of a release's hub."""

    @pytest.mark.parametrize("name", ["payment approved", "payment declined", "refund approved"])
    @pytest.mark.asyncio
    async def test_are_replayed(self, left: Left, name: str) -> None:
        """With what the gateway said, unsealed, and only to the same request."""
        hub, (request, _) = left.hub(), SENDS[name]
        record = await _record_of(left, key_of(request))

        replayed = await hub.replay(key_of(request), record)

        assert hub.is_same_request(record, request)
        assert not hub.is_same_request(record, SENDS["validation approved"][0])
        assert replayed.situation.name == name.split()[1].upper()
        assert replayed.outcome is not None
        if "approved" in name:
            assert replayed.outcome == APPROVED

    @pytest.mark.asyncio
    async def test_stay_open_when_in_doubt(self, left: Left) -> None:
        """The next send takes them over, in doubt."""
        hub, key = left.hub(), key_of(SENDS["payment in doubt"][0])
        stored = await left.store.get(record_key(key))
        assert stored is not None
        record = decode_hub_record(stored.value)

        claim = await hub.take_over(key, stored, record, may_have_called=False, left_s=10)

        assert isinstance(claim, HubClaim)
        assert (record.end, claim.in_doubt, claim.record.attempts) == (None, True, record.attempts + 1)

    @pytest.mark.asyncio
    async def test_are_left_alone_while_the_other_version_executes_them(self, left: Left) -> None:
        """Its lease keeps this version away."""
        record = await _record_of(left, key_of(SENDS["payment being executed"][0]))

        assert left.hub().is_leased(record)

    @pytest.mark.parametrize("key", [key_of(SENDS["payment refused by the hub"][0]), idempotency_key(REFUSED)])
    @pytest.mark.asyncio
    async def test_stay_refused(self, left: Left, key: str) -> None:
        """Zuora has heard of the refusal."""
        replayed = await left.hub().replay(key, await _record_of(left, key))

        assert replayed == RecordedAnswer(Situation.REFUSED_EARLIER, None)

    @pytest.mark.asyncio
    async def test_of_validations_are_replayed(self, left: Left) -> None:
        """For a minute, under a key that both versions compute."""
        digits = validation_fingerprint(SENDS["validation approved"][0], left.keyring, gateway="amazon")
        key = f"validation-{digits}"

        replayed = await left.hub().replay(key, await _record_of(left, key))

        assert (replayed.situation, replayed.outcome) == (Situation.APPROVED, APPROVED)

    @pytest.mark.asyncio
    async def test_are_in_a_store_that_is_declared_complete(self, left: Left) -> None:
        """The hub of this version need not be told again."""
        epoch = await read_epoch(left.store)

        assert epoch is not None
        assert epoch.by == "init-store"


@pytest.mark.asyncio
async def test_redis_holds_what_is_written_in_the_same_form(left: Left) -> None:
    """Eight bytes of version, most significant first, and the value: the other version reads it too."""
    await left.store.put_if_absent("key", b"value", ttl_s=60, version=2**56 + 1)
    await left.store.compare_and_set("key", b"later", version=2**56 + 1, ttl_s=60)

    assert left.raw.get(f"{left.prefix}key") == as_in_redis(b"later", 2**56 + 2)


async def _record_of(left: Left, key: str) -> HubRecord:
    stored = await left.store.get(record_key(key))
    assert stored is not None
    return decode_hub_record(stored.value)
