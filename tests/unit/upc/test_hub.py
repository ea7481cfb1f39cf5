"""The hub without HTTP: one effect per id, and no answer that means Error without proof."""

import asyncio
import dataclasses
from datetime import timedelta

import pytest
from harness.hub import (
    APPROVED,
    DECLINED,
    DESCRIPTION,
    ERROR,
    HUB,
    PLUGIN,
    TENANT,
    Behaviour,
    FakeGateway,
    HubWorld,
    approve,
    behave,
    charge_and_fail,
    decline,
    fail_before_charging,
    forget_and_decline,
    never_answer,
    payment,
    refund,
    validation,
    virtually,
)
from harness.memory_records import put_back, record_in, values_in
from payorch_server.model.secret import Secret
from payorch_server.upc.answers import MEAN_ERROR, Answer, Situation
from payorch_server.upc.gateway_outcome import (
    CallFacts,
    GatewayOutcome,
    NoOutcome,
    NotHeardOf,
    NotSent,
    Result,
    Silence,
)
from payorch_server.upc.hub_ledger import LEASE_S
from payorch_server.upc.hub_parts import HubCallNotes
from payorch_server.upc.request import (
    Account,
    Defect,
    HubRequest,
    JsonNumber,
    Operation,
    RequestName,
    UnusableRequest,
    idempotency_key,
)

NAME = RequestName(TENANT, Operation.PAYMENT, "pay-1")
KEY = idempotency_key(NAME)
DAY_S = 86_400.0
NO_LOOK_UP = dataclasses.replace(DESCRIPTION, looks_up=False)
PENDING = GatewayOutcome(Result.PENDING, "000")
FAILED = GatewayOutcome(Result.FAILED, "96")
NOT_ATTEMPTED = GatewayOutcome(Result.NOT_ATTEMPTED, "cfg")


def unusable(*names: RequestName, is_validation: bool = False) -> UnusableRequest:
    """Make a request that cannot be acted on."""
    return UnusableRequest(Defect.MEMBER_MISSING, "payment.amount", names, is_validation)


class TestFirstSend:
    """A request of which nothing was sent before."""

    @virtually
    async def test_is_approved_once(self) -> None:
        """The key, the attempt and the outcome are the contract's."""
        world = await HubWorld().begin()

        answer = await world.send(world.hub(), payment())

        assert (answer.answer, answer.outcome, world.gateway.charges) == (Answer.APPROVED, APPROVED, [KEY])
        (facts,) = world.gateway.calls
        assert (facts.idempotency_key, facts.attempt, facts.may_be_repeated) == (KEY, 1, False)

    @pytest.mark.parametrize(
        ("behaviour", "answer"),
        [
            (behave(DECLINED), Answer.DECLINED),
            (behave(FAILED), Answer.FAILED),
            (behave(NOT_ATTEMPTED), Answer.SYSTEM),
            (behave(NotSent("not connected")), Answer.SYSTEM),
            (behave(PENDING), Answer.UNKNOWN),
            (behave(ERROR), Answer.UNKNOWN),
            (behave(NoOutcome(Silence.UNSPECIFIED)), Answer.UNKNOWN),
            (behave(NoOutcome(Silence.RULE_BROKEN)), Answer.UNKNOWN),
            (never_answer, Answer.UNKNOWN),
        ],
    )
    @virtually
    async def test_is_answered_as_the_table_says(self, behaviour: Behaviour, answer: Answer) -> None:
        """Only what proves that nothing moved means Error."""
        world = await HubWorld(FakeGateway(behaviours=[behaviour])).begin()

        assert (await world.send(world.hub(), payment())).answer is answer

    @virtually
    async def test_names_the_refunded_payment_by_its_key(self) -> None:
        """After a lost answer Zuora does not have the gateway's id of the payment."""
        world = await HubWorld().begin()

        await world.send(world.hub(), refund())

        assert world.gateway.calls[0].payment_idempotency_key == KEY

    @pytest.mark.parametrize(
        ("change", "situation"),
        [
            ({"tenant_id": "99"}, Situation.TENANT_UNKNOWN),
            ({"gateway_name": "Other"}, Situation.GATEWAY_UNKNOWN),
        ],
    )
    @virtually
    async def test_is_refused_where_no_gateway_takes_it(self, change: dict[str, str], situation: Situation) -> None:
        """Nothing was sent, and Zuora may collect again."""
        world = await HubWorld().begin()

        answer = await world.send(world.hub(), payment(**change))

        assert (answer.answer, answer.situation, world.gateway.calls) == (Answer.NOT_UNDERSTOOD, situation, [])

    @virtually
    async def test_is_never_called_for_what_the_gateway_does_not_offer(self) -> None:
        """Neither another operation nor another currency."""
        for description in (
            dataclasses.replace(DESCRIPTION, operations=frozenset({Operation.REFUND})),
            dataclasses.replace(DESCRIPTION, currencies=frozenset({"EUR"})),
        ):
            world = await HubWorld(FakeGateway(description=description)).begin()

            answer = await world.send(world.hub(), payment())

            assert (answer.answer, world.gateway.calls) == (Answer.SYSTEM, [])

    @virtually
    async def test_is_system_where_the_gateway_cannot_be_reached(self) -> None:
        """The end is recorded: a later send hears it again, although the gateway is back."""
        world = await HubWorld(FakeGateway(description=NotSent("not ready"))).begin()
        hub = world.hub()

        first = await world.send(hub, payment())
        world.gateway.description = DESCRIPTION
        second = await world.send(hub, payment())

        assert (first.answer, second.answer, world.gateway.calls) == (Answer.SYSTEM, Answer.SYSTEM, [])

    @virtually
    async def test_is_unknown_while_the_store_is_away(self) -> None:
        """Without a record no gateway is called."""
        world = await HubWorld().begin()
        world.store.failing = {"put"}

        answer = await world.send(world.hub(), payment())

        assert (answer.situation, answer.answer) == (Situation.STORE_UNAVAILABLE, Answer.UNKNOWN)
        assert world.gateway.calls == []

    @virtually
    async def test_is_not_doubted_after_a_record_that_was_written_late(self) -> None:
        """The process knows that it called nothing under it."""
        world = await HubWorld(FakeGateway(behaviours=[decline])).begin()
        hub = world.hub()
        world.store.failing_late = {"put"}
        await world.send(hub, payment())
        world.store.failing_late = set()

        assert (await world.send(hub, payment())).answer is Answer.DECLINED


class TestLaterSend:
    """A request that was sent before."""

    @pytest.mark.parametrize("behaviour", [approve, decline, behave(FAILED), behave(NOT_ATTEMPTED)])
    @virtually
    async def test_hears_the_recorded_end(self, behaviour: Behaviour) -> None:
        """With all that the gateway said, from another replica as well."""
        world = await HubWorld(FakeGateway(behaviours=[behaviour])).begin()
        first = await world.send(world.hub(), payment())
        notes = HubCallNotes()

        second = await world.send(world.hub(), payment(), notes=notes)

        assert (second, notes.replayed, len(world.gateway.calls)) == (first, True, 1)

    @virtually
    async def test_hears_the_token_data_for_72_hours(self) -> None:
        """Afterwards result and ids are left, and nothing is called again."""
        changes = Secret({"ShopperEmail": "a@b.example", "Count": JsonNumber("12.50"), "Flag": True, "Old": None})
        outcome = dataclasses.replace(APPROVED, token_data_changes=changes)
        world = await HubWorld(FakeGateway(behaviours=[behave(outcome)])).begin()
        await world.send(world.hub(), payment())

        soon = await world.send(world.hub(), payment())
        await asyncio.sleep(3 * DAY_S + 1)
        late = await world.send(world.hub(), payment())

        assert soon.outcome == outcome
        assert late.outcome == dataclasses.replace(outcome, message="", token_data_changes=Secret({}))
        assert len(world.gateway.calls) == 1

    @virtually
    async def test_hears_the_end_for_400_days(self) -> None:
        """Opening the payment's page asks at any age."""
        world = await HubWorld().begin()
        await world.send(world.hub(), payment())
        await asyncio.sleep(399 * DAY_S)

        assert (await world.send(world.hub(), payment())).answer is Answer.APPROVED
        assert world.gateway.charges == [KEY]

    @virtually
    async def test_joins_the_execution_of_its_process(self) -> None:
        """Two at once are one call with one answer."""
        world = await HubWorld().begin()
        hub, notes = world.hub(), HubCallNotes()

        first, second = await asyncio.gather(world.send(hub, payment()), world.send(hub, payment(), notes=notes))

        assert (first, len(world.gateway.calls), notes.joined) == (second, 1, True)

    @virtually
    async def test_joins_the_execution_of_another_replica(self) -> None:
        """By polling, because a store has no messages."""
        world = await HubWorld().begin()

        first, second = await asyncio.gather(world.send(world.hub(), payment()), world.send(world.hub(), payment()))

        assert (first, len(world.gateway.calls)) == (second, 1)

    @virtually
    async def test_asks_the_store_ever_less_often(self) -> None:
        """From 25 to 50 milliseconds at first, then twice as long each time, up to a second."""
        world = await HubWorld(FakeGateway(behaviours=[never_answer])).begin()
        waits: list[tuple[float, float]] = []

        def draw(low: float, high: float) -> float:
            waits.append((low, high))
            return high

        first = asyncio.ensure_future(world.send(world.hub(), payment()))
        await asyncio.gather(first, world.send(world.hub(uniform=draw), payment()))

        most_s = [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
        assert waits[: len(most_s)] == [(high / 2, high) for high in most_s]

    @virtually
    async def test_comes_through_another_hub(self) -> None:
        """No hub is in the key."""
        world = await HubWorld().begin()
        hub = world.hub()
        await world.send(hub, payment())

        answer = await world.send(hub, payment(), name="other")

        assert (answer.answer, world.gateway.charges) == (Answer.APPROVED, [KEY])

    @virtually
    async def test_of_another_amount_is_never_executed(self) -> None:
        """Neither after the first one nor beside it; an equal amount in another form is the same."""
        world = await HubWorld().begin()
        hub = world.hub()

        beside = await asyncio.gather(world.send(hub, payment()), world.send(hub, payment(amount="201")))
        after = await world.send(world.hub(), payment(amount="201"))
        same = await world.send(world.hub(), payment(amount="200.00"))

        assert [answer.answer for answer in (*beside, after, same)] == [
            Answer.APPROVED,
            Answer.UNKNOWN,
            Answer.UNKNOWN,
            Answer.APPROVED,
        ]
        assert world.observer.alarms == [Situation.REQUEST_CHANGED] * 2
        assert world.gateway.charges == [KEY]

    @virtually
    async def test_is_approved_after_a_lost_answer(self) -> None:
        """LookUp says so, and nothing is called again."""
        world = await HubWorld(FakeGateway(behaviours=[charge_and_fail])).begin()
        hub = world.hub()

        answers = [await world.send(hub, payment()), await world.send(hub, payment())]

        assert [answer.answer for answer in answers] == [Answer.UNKNOWN, Answer.APPROVED]
        assert (len(world.gateway.calls), world.gateway.charges) == (1, [KEY])

    @virtually
    async def test_is_called_again_under_the_same_key_without_a_look_up(self) -> None:
        """And says that it may be a repetition."""
        gateway = FakeGateway(description=NO_LOOK_UP, behaviours=[charge_and_fail])
        world = await HubWorld(gateway).begin()
        hub = world.hub()

        answers = [await world.send(hub, payment()), await world.send(hub, payment())]

        assert [answer.answer for answer in answers] == [Answer.UNKNOWN, Answer.APPROVED]
        assert gateway.charges == [KEY]
        assert [(facts.attempt, facts.may_be_repeated) for facts in gateway.calls] == [(1, False), (2, True)]
        assert gateway.calls[0].first_send == gateway.calls[1].first_send

    @virtually
    async def test_is_not_declined_by_a_gateway_that_lost_the_key(self) -> None:
        """Without LookUp no refusal counts after an open send."""
        gateway = FakeGateway(description=NO_LOOK_UP, behaviours=[charge_and_fail, forget_and_decline])
        world = await HubWorld(gateway).begin()
        hub = world.hub()
        await world.send(hub, payment())

        answer = await world.send(hub, payment())

        assert (answer.answer, world.observer.alarms) == (Answer.UNKNOWN, [Situation.DECLINED])

    @virtually
    async def test_is_declined_once_a_look_up_confirms_it(self) -> None:
        """After the deadline of the earlier call, not before."""
        gateway = FakeGateway(behaviours=[fail_before_charging, decline])
        world = await HubWorld(gateway).begin()
        hub = world.hub()
        await world.send(hub, payment())

        soon = await world.send(hub, payment())
        await asyncio.sleep(60)
        late = await world.send(hub, payment())

        assert (soon.answer, late.situation, late.answer) == (
            Answer.UNKNOWN,
            Situation.LOOKED_UP_DECLINED,
            Answer.DECLINED,
        )
        assert len(gateway.calls) == 2

    @pytest.mark.parametrize("found", [ERROR, PENDING])
    @virtually
    async def test_stays_open_while_a_look_up_knows_no_end(self, found: GatewayOutcome | NoOutcome) -> None:
        """Nothing is called meanwhile."""
        world = await HubWorld(FakeGateway(behaviours=[charge_and_fail], looked_up=[found])).begin()
        hub = world.hub()
        await world.send(hub, payment())

        answers = [await world.send(hub, payment()), await world.send(hub, payment())]

        assert [answer.answer for answer in answers] == [Answer.UNKNOWN, Answer.APPROVED]
        assert len(world.gateway.calls) == 1

    @pytest.mark.parametrize(
        ("remembered_for", "age_s"), [(timedelta(days=30), 30 * DAY_S), (timedelta(hours=71), 60.0)]
    )
    @virtually
    async def test_is_not_called_again_when_the_key_protects_no_more(
        self, remembered_for: timedelta, age_s: float
    ) -> None:
        """Older than the gateway remembers, or with a gateway that remembers for less than 72 hours."""
        description = dataclasses.replace(DESCRIPTION, idempotent_for=remembered_for)
        gateway = FakeGateway(description=description, behaviours=[charge_and_fail], looked_up=[NotHeardOf()])
        world = await HubWorld(gateway).begin()
        await world.send(world.hub(), payment())
        await asyncio.sleep(age_s)

        answer = await world.send(world.hub(), payment())

        assert (answer.situation, answer.answer, len(gateway.calls)) == (Situation.TOO_OLD, Answer.UNKNOWN, 1)
        assert world.observer.alarms == [Situation.TOO_OLD]

    @pytest.mark.parametrize(("before_s", "calls"), [(49, 1), (51, 2)])
    @virtually
    async def test_is_not_called_again_when_the_call_may_arrive_too_late(self, before_s: float, calls: int) -> None:
        """It may be on its way until its deadline, and the clock of the first send may have been ahead."""
        gateway = FakeGateway(description=NO_LOOK_UP, behaviours=[charge_and_fail])
        world = await HubWorld(gateway).begin()
        await world.send(world.hub(), payment())
        await asyncio.sleep(30 * DAY_S - before_s)

        await world.send(world.hub(), payment())

        assert len(gateway.calls) == calls

    @virtually
    async def test_is_not_called_again_by_what_a_newer_version_promises(self) -> None:
        """The version that took the first call may have forgotten its key before the newer one came."""
        days_3 = dataclasses.replace(DESCRIPTION, looks_up=False, idempotent_for=timedelta(days=3))
        gateway = FakeGateway(description=days_3, behaviours=[charge_and_fail])
        world = await HubWorld(gateway).begin()
        await world.send(world.hub(), payment())
        await asyncio.sleep(4 * DAY_S)
        gateway.description = dataclasses.replace(days_3, idempotent_for=timedelta(days=400))

        answer = await world.send(world.hub(), payment())

        assert (answer.situation, len(gateway.calls)) == (Situation.TOO_OLD, 1)

    @virtually
    async def test_is_looked_up_although_the_gateway_offers_it_no_more(self) -> None:
        """What was done in time is settled, and nothing new is called."""
        gateway = FakeGateway(behaviours=[charge_and_fail, fail_before_charging])
        world = await HubWorld(gateway).begin()
        hub = world.hub()
        await world.send(hub, payment())
        await world.send(hub, payment("pay-2"))
        gateway.description = dataclasses.replace(DESCRIPTION, operations=frozenset({Operation.REFUND}))

        charged, not_charged = await world.send(hub, payment()), await world.send(hub, payment("pay-2"))

        assert (charged.answer, not_charged.answer) == (Answer.APPROVED, Answer.UNKNOWN)
        assert len(gateway.calls) == 2

    @virtually
    async def test_takes_over_after_a_crash_when_the_lease_has_ended(self) -> None:
        """Until then it waits for the end, and nothing is called twice at once."""
        world = await HubWorld(FakeGateway(behaviours=[never_answer])).begin()
        doomed = asyncio.ensure_future(world.send(world.hub(), payment()))
        await asyncio.sleep(5)
        await world.crash()
        await doomed

        soon = await world.send(world.hub(), payment())
        await asyncio.sleep(LEASE_S)
        late = await world.send(world.hub(), payment())

        assert (soon.situation, late.answer, world.gateway.charges) == (
            Situation.STILL_RUNNING,
            Answer.APPROVED,
            [KEY],
        )

    @virtually
    async def test_is_in_doubt_after_a_takeover_for_which_the_gateway_came_back(self) -> None:
        """The record names the gateway that was called, not the one that was away when the send arrived."""

        async def charge_and_lose_the_store(gateway: FakeGateway, request: HubRequest, facts: CallFacts) -> NoOutcome:
            world.store.failing = {"set"}
            return await charge_and_fail(gateway, request, facts)

        gateway = FakeGateway(
            description=NotSent("not ready"), behaviours=[charge_and_lose_the_store, forget_and_decline]
        )
        world = await HubWorld(gateway).begin()
        hub = world.hub()
        world.store.failing_late = {"put"}
        await world.send(hub, payment())
        world.store.failing_late = set()
        taking_over = asyncio.ensure_future(world.send(hub, payment()))
        await asyncio.sleep(0.0015)
        gateway.description = NO_LOOK_UP
        await taking_over
        world.store.failing = set()
        await asyncio.sleep(LEASE_S + 10)

        answer = await world.send(world.hub(), payment())

        assert (answer.answer, gateway.charges, len(gateway.calls)) == (Answer.UNKNOWN, [KEY], 2)

    @virtually
    async def test_never_reaches_another_gateway(self) -> None:
        """Whether the settings name another one now, have lost it, or another answers at its address."""
        other = FakeGateway(name="other", settings=dataclasses.replace(PLUGIN, types=("AmazonPay__c_12368",)))
        for change in ("renamed", "gone", "impostor"):
            first = FakeGateway(behaviours=[charge_and_fail], looked_up=[ERROR, ERROR])
            world = await HubWorld(first).begin()
            hub = world.hub()
            await world.send(hub, payment())
            if change == "impostor":
                first.description = dataclasses.replace(DESCRIPTION, name="paypal")
            else:
                world.directory.gateways = {"other": other} | ({"amazon": first} if change == "renamed" else {})

            answer = await world.send(hub, payment())

            assert (answer.answer, other.calls, other.look_ups) == (Answer.UNKNOWN, [], 0), change

    @pytest.mark.parametrize("switch", ["hub", "gateway"])
    @virtually
    async def test_stays_open_while_the_gateway_is_switched_off(self, switch: str) -> None:
        """A new one is refused, one in doubt is not."""
        world = await HubWorld(FakeGateway(behaviours=[charge_and_fail])).begin()
        hub = world.hub()
        await world.send(hub, payment())
        if switch == "hub":
            world.hubs["main"] = dataclasses.replace(HUB, enabled=False)
        else:
            world.gateway.settings = dataclasses.replace(PLUGIN, enabled=False)

        old, new = await world.send(hub, payment()), await world.send(hub, payment("pay-2"))

        assert (old.answer, new.answer) == (Answer.UNKNOWN, Answer.NOT_UNDERSTOOD)


class TestRefusals:
    """Refusals of the hub itself."""

    @virtually
    async def test_of_a_fresh_id_mean_error_and_last(self) -> None:
        """What was answered Error is never charged, whatever comes later under the id."""
        world = await HubWorld().begin()
        hub = world.hub()

        refused = await hub.answer_refused(unusable(NAME), notes=HubCallNotes())
        later = await world.send(world.hub(), payment())

        assert (refused.answer, later.situation) == (Answer.UNAUTHORIZED, Situation.REFUSED_EARLIER)
        assert (later.answer in MEAN_ERROR, world.gateway.calls) == (True, [])

    @virtually
    async def test_for_want_of_credentials_do_not_end_an_id(self) -> None:
        """An HTTP client may send credentials only when it is asked for them."""
        world = await HubWorld().begin()
        hub = world.hub()

        asked = await hub.answer_refused(unusable(NAME), notes=HubCallNotes(), has_credentials=False)
        sent = await world.send(hub, payment())
        known = await hub.answer_refused(unusable(NAME), notes=HubCallNotes(), has_credentials=False)

        assert [answer.answer for answer in (asked, sent, known)] == [
            Answer.UNAUTHORIZED,
            Answer.APPROVED,
            Answer.UNKNOWN,
        ]

    @virtually
    async def test_for_want_of_credentials_prove_nothing_without_the_epoch(self) -> None:
        """The store may have lost the record."""
        world = await HubWorld(declared=False).begin()

        answer = await world.hub().answer_refused(unusable(NAME), notes=HubCallNotes(), has_credentials=False)

        assert answer.answer is Answer.UNKNOWN

    @virtually
    async def test_are_still_known_when_the_store_has_lost_them(self) -> None:
        """To the process that refused."""
        world = await HubWorld().begin()
        hub = world.hub()
        await hub.answer_refused(unusable(NAME), notes=HubCallNotes())
        world.lose_records()

        answer = await world.send(hub, payment())

        assert (answer.situation, world.gateway.calls) == (Situation.REFUSED_EARLIER, [])

    @pytest.mark.parametrize("behaviour", [approve, charge_and_fail, decline])
    @virtually
    async def test_of_a_known_id_are_unknown(self, behaviour: Behaviour) -> None:
        """Whether it was executed, is in doubt or was declined."""
        world = await HubWorld(FakeGateway(behaviours=[behaviour])).begin()
        hub = world.hub()
        await world.send(hub, payment())

        answers = [
            await hub.answer_refused(unusable(NAME), notes=HubCallNotes()),
            await world.send(hub, unusable(NAME)),
        ]

        assert [answer.answer for answer in answers] == [Answer.UNKNOWN, Answer.UNKNOWN]

    @virtually
    async def test_of_a_running_execution_are_unknown(self) -> None:
        """Its record is there before the gateway is called."""
        world = await HubWorld().begin()
        hub = world.hub()
        running = asyncio.ensure_future(world.send(hub, payment()))
        await asyncio.sleep(0.05)

        answer = await world.hub().answer_refused(unusable(NAME), notes=HubCallNotes())

        assert (answer.answer, (await running).answer) == (Answer.UNKNOWN, Answer.APPROVED)

    @virtually
    async def test_without_an_id_are_unknown(self) -> None:
        """An alarm is raised; a validation is refused, since it moves no money."""
        world = await HubWorld().begin()
        hub = world.hub()

        unnamed, check = await world.send(hub, unusable()), await world.send(hub, unusable(is_validation=True))

        assert (unnamed.answer, check.answer) == (Answer.UNKNOWN, Answer.NOT_UNDERSTOOD)
        assert world.observer.alarms == [Situation.ID_ILLEGIBLE]

    @virtually
    async def test_with_two_ids_mean_error_only_where_neither_is_known(self) -> None:
        """A request whose operation cannot be read may be a send of either."""
        world = await HubWorld().begin()
        hub = world.hub()
        other = RequestName(TENANT, Operation.REFUND, "ref-1")
        await world.send(hub, payment())

        known, fresh = (
            await world.send(hub, unusable(NAME, other)),
            await world.send(hub, unusable(dataclasses.replace(NAME, id="pay-9"), other)),
        )

        assert (known.answer, fresh.answer) == (Answer.UNKNOWN, Answer.NOT_UNDERSTOOD)

    @virtually
    async def test_are_unknown_while_the_store_is_away(self) -> None:
        """Nothing is known of earlier sends."""
        world = await HubWorld().begin()
        world.store.failing = {"put", "get"}

        answer = await world.hub().answer_refused(unusable(NAME), notes=HubCallNotes())

        assert answer.answer is Answer.UNKNOWN


class TestStoreThatLostRecords:
    """A store that was emptied, or was never declared."""

    @pytest.mark.parametrize("look_up", [True, False])
    @virtually
    async def test_lets_refusals_count_only_after_a_look_up(self, look_up: bool) -> None:  # noqa: FBT001 - parametrized
        """An absent record proves nothing."""
        description = DESCRIPTION if look_up else NO_LOOK_UP
        world = await HubWorld(FakeGateway(description=description, behaviours=[decline]), declared=False).begin()

        answer = await world.send(world.hub(), payment())

        assert (answer.answer, world.gateway.look_ups) == ((Answer.DECLINED, 2) if look_up else (Answer.UNKNOWN, 0))

    @virtually
    async def test_believes_no_refusal_of_a_call_that_may_be_running(self) -> None:
        """When the calls that it forgot must have ended is not known before a call's time has passed."""
        gateway = FakeGateway(looked_up=[DECLINED, DECLINED])
        world = await HubWorld(gateway, declared=False).begin()
        hub = world.hub()

        at_once = await world.send(hub, payment())
        await asyncio.sleep(51)
        later = await world.send(hub, payment())

        assert (at_once.answer, later.answer, gateway.calls) == (Answer.UNKNOWN, Answer.DECLINED, [])

    @pytest.mark.parametrize("description", [DESCRIPTION, NO_LOOK_UP])
    @virtually
    async def test_costs_no_second_charge(self, description: object) -> None:
        """The key is the same, with or without a record."""
        gateway = FakeGateway(description=description)  # type: ignore[arg-type]  # of the two above
        world = await HubWorld(gateway).begin()
        await world.send(world.hub(), payment())
        world.lose_records()

        answer = await world.send(world.hub(), payment())

        assert (answer.answer, gateway.charges) == (Answer.APPROVED, [KEY])

    @virtually
    async def test_refuses_nothing_of_its_own(self) -> None:
        """400 and 401 would mean Error for what may have been charged."""
        world = await HubWorld(declared=False).begin()
        hub = world.hub()

        answers = [
            await hub.answer_refused(unusable(NAME), notes=HubCallNotes()),
            await world.send(hub, payment("pay-2", gateway_name="Other")),
        ]

        assert [answer.answer for answer in answers] == [Answer.UNKNOWN, Answer.UNKNOWN]

    @pytest.mark.parametrize("is_refused", [True, False])
    @virtually
    async def test_is_noticed_after_its_epoch_could_not_be_read(self, is_refused: bool) -> None:  # noqa: FBT001 - parametrized
        """The record of the send that failed then proves nothing about earlier ones."""
        gateway = FakeGateway(description=NO_LOOK_UP, behaviours=[behave(DECLINED)])
        world = await HubWorld(gateway, declared=False).begin()
        hub, sent = world.hub(), payment(gateway_name="Other") if is_refused else payment()
        world.store.failing = {"get"}
        first = await world.send(hub, sent)
        world.store.failing = set()

        second = await world.send(hub, sent)

        assert (first.situation, second.answer) == (Situation.STORE_UNAVAILABLE, Answer.UNKNOWN)

    @virtually
    async def test_charges_nothing_after_an_error_that_was_rolled_back(self) -> None:
        """A failover can bring back the open record of a request that has ended."""
        world = await HubWorld(FakeGateway(behaviours=[decline])).begin()
        hub, store = world.hub(), world.store.inner
        sending = asyncio.ensure_future(world.send(hub, payment()))
        await asyncio.sleep(0.05)
        before = {key: record_in(store, key) for key in values_in(store)}
        declined = await sending
        for key, record in before.items():
            put_back(store, key, record)
        world.gateway.effects.clear()
        await asyncio.sleep(LEASE_S + 10)

        answer = await world.send(hub, payment())

        assert (declined.answer, answer.answer, world.gateway.charges) == (Answer.DECLINED, Answer.NOT_UNDERSTOOD, [])

    @pytest.mark.parametrize(
        ("behaviour", "answer"), [(charge_and_fail, Answer.APPROVED), (fail_before_charging, Answer.UNKNOWN)]
    )
    @virtually
    async def test_believes_no_error_of_its_own_after_another_process_called(
        self, behaviour: Behaviour, answer: Answer
    ) -> None:
        """Such as when the refusal of a stranger has expired: LookUp decides, and nothing more is called."""
        world = await HubWorld(FakeGateway(behaviours=[behaviour])).begin()
        one, other = world.hub(), world.hub()
        refused = await one.answer_refused(unusable(NAME), notes=HubCallNotes())
        await asyncio.sleep(73 * 3_600)
        await world.send(other, payment())

        later = await world.send(one, payment())

        assert (refused.answer, later.answer, len(world.gateway.calls)) == (Answer.UNAUTHORIZED, answer, 1)

    @pytest.mark.parametrize("is_usable", [True, False])
    @virtually
    async def test_charges_nothing_after_an_error_that_was_replayed(self, is_usable: bool) -> None:  # noqa: FBT001 - parametrized
        """A process also remembers what Zuora heard from it of another one's end."""
        world = await HubWorld().begin()
        one, other = world.hub(), world.hub()
        await world.send(one, unusable(NAME))
        replayed = await world.send(other, payment() if is_usable else unusable(NAME))
        world.lose_records()
        await world.begin()

        answer = await world.send(other, payment())

        assert (replayed.answer, answer.answer, world.gateway.calls) == (
            Answer.NOT_UNDERSTOOD,
            Answer.NOT_UNDERSTOOD,
            [],
        )

    @virtually
    async def test_hears_an_error_again_from_the_process_that_gave_it(self) -> None:
        """Whatever of the payment comes first, its end is recorded for all others once more."""
        world = await HubWorld().begin()
        one, other = world.hub(), world.hub()
        await world.send(one, unusable(NAME))
        world.lose_records()

        answers = [await world.send(one, unusable(NAME)), await world.send(other, payment())]

        assert [answer.answer for answer in answers] == [Answer.NOT_UNDERSTOOD] * 2
        assert world.gateway.calls == []

    @virtually
    async def test_is_noticed_by_the_process_that_called(self) -> None:
        """A failover that loses one record leaves the declaration: the process remembers its call."""
        gateway = FakeGateway(description=NO_LOOK_UP, behaviours=[charge_and_fail, forget_and_decline])
        world = await HubWorld(gateway).begin()
        hub = world.hub()
        await world.send(hub, payment())
        world.lose_records()
        await world.begin()

        assert (await world.send(hub, payment())).answer is Answer.UNKNOWN

    @virtually
    async def test_reaches_no_other_gateway_from_the_process_that_called(self) -> None:
        """The process remembers the gateway, whatever the settings say since."""
        first = FakeGateway(behaviours=[charge_and_fail])
        second = FakeGateway(name="adyen", settings=dataclasses.replace(PLUGIN, names=("Second",)))
        world = await HubWorld(first, second).begin()
        hub = world.hub()
        await world.send(hub, payment())
        world.lose_records()
        second.settings, first.settings = first.settings, second.settings

        answer = await world.send(hub, payment())

        assert (answer.situation, second.calls) == (Situation.GATEWAY_CHANGED, [])


class TestEnd:
    """How an execution ends."""

    @virtually
    async def test_is_recorded_after_zuora_has_left(self) -> None:
        """The execution belongs to the hub."""
        world = await HubWorld().begin()
        hub = world.hub()
        waiting = asyncio.ensure_future(world.send(hub, payment()))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

        left = await hub.wait_for_executions(timeout_s=120)

        assert (left, (await world.send(world.hub(), payment())).answer) == (0, Answer.APPROVED)
        assert len(world.gateway.calls) == 1

    @virtually
    async def test_is_approved_although_it_cannot_be_recorded(self) -> None:
        """It is true, and is written as soon as the store is back."""
        world = await HubWorld().begin()
        hub = world.hub()
        world.store.failing = {"set"}

        answer = await world.send(hub, payment())
        world.store.failing = set()
        await hub.wait_for_executions(timeout_s=120)
        notes = HubCallNotes()
        await world.send(world.hub(), payment(), notes=notes)

        assert (answer.answer, notes.replayed, len(world.gateway.calls)) == (Answer.APPROVED, True, 1)

    @virtually
    async def test_is_not_declined_unless_it_is_recorded(self) -> None:
        """Another send could otherwise reach the gateway after Zuora began to collect again."""
        world = await HubWorld(FakeGateway(behaviours=[decline])).begin()
        hub = world.hub()
        world.store.failing = {"set"}

        answer = await world.send(hub, payment())

        assert (answer.situation, answer.answer) == (Situation.OUT_OF_TIME, Answer.UNKNOWN)
        assert await hub.wait_for_executions(timeout_s=LEASE_S) == 0

    @virtually
    async def test_recognises_a_write_whose_answer_was_lost(self) -> None:
        """The record has this execution's end already."""
        world = await HubWorld(FakeGateway(behaviours=[decline])).begin()
        hub = world.hub()
        sending = asyncio.ensure_future(world.send(hub, payment()))
        await asyncio.sleep(0.05)
        world.store.failing_late = {"set"}
        await asyncio.sleep(0.1)
        world.store.failing_late = set()

        assert (await sending).answer is Answer.DECLINED

    @virtually
    async def test_comes_before_the_hub_has_drained(self) -> None:
        """New requests are unknown meanwhile, sends of the running one join it."""
        world = await HubWorld().begin()
        hub = world.hub()
        running = asyncio.ensure_future(world.send(hub, payment()))
        await asyncio.sleep(0.05)
        hub.drain()

        new, joined = await world.send(hub, payment("pay-2")), await world.send(hub, payment())

        assert (new.situation, joined.answer, (await running).answer) == (
            Situation.DRAINING,
            Answer.APPROVED,
            Answer.APPROVED,
        )

    @pytest.mark.parametrize("limited", ["hub", "gateway"])
    @virtually
    async def test_is_unknown_beyond_the_limits(self, limited: str) -> None:
        """Of requests in progress for the hub, of calls in progress for the gateway."""
        world = await HubWorld().begin()
        if limited == "hub":
            world.hubs["main"] = dataclasses.replace(HUB, max_in_flight=2)
        else:
            world.gateway.settings = dataclasses.replace(PLUGIN, max_in_flight=2)
        hub = world.hub()
        running = [asyncio.ensure_future(world.send(hub, payment(f"pay-{number}"))) for number in range(2)]
        await asyncio.sleep(0.05)

        answer = await world.send(hub, payment("pay-3"))

        assert (answer.situation, answer.answer) == (Situation.OVERLOADED, Answer.UNKNOWN)
        assert {answer.answer for answer in await asyncio.gather(*running)} == {Answer.APPROVED}

    @virtually
    async def test_observes_what_is_open(self) -> None:
        """For the gauge of the oldest one."""
        world = await HubWorld(FakeGateway(behaviours=[charge_and_fail])).begin()
        hub = world.hub()

        await world.send(hub, payment())
        opened = set(world.observer.open)
        await world.send(hub, payment())

        assert (opened, world.observer.open) == ({KEY}, set())

    @virtually
    async def test_of_a_defect_is_unknown(self) -> None:
        """Whatever the hub did not foresee."""

        async def explode(*_: object) -> GatewayOutcome:
            raise ZeroDivisionError

        world = await HubWorld(FakeGateway(behaviours=[explode])).begin()

        answer = await world.send(world.hub(), payment())

        assert (answer.situation, answer.answer) == (Situation.DEFECT, Answer.UNKNOWN)

    @virtually
    async def test_of_a_defect_reaches_every_send(self) -> None:
        """None of them waits for its deadline."""
        failing = asyncio.Event()

        async def explode(*_: object) -> GatewayOutcome:
            await failing.wait()
            raise ZeroDivisionError

        world = await HubWorld(FakeGateway(behaviours=[explode])).begin()
        hub = world.hub()
        sends = [asyncio.ensure_future(world.send(hub, payment())) for _ in range(3)]
        await asyncio.sleep(1.0)

        failing.set()
        answers = await asyncio.gather(*sends)

        assert ([Situation.DEFECT] * 3, 1.0) == ([answer.situation for answer in answers], world.clock.monotonic())

    @virtually
    async def test_comes_although_the_send_that_began_it_is_gone(self) -> None:
        """Another send gets it, and the gateway was called once."""
        world = await HubWorld().begin()
        hub = world.hub()
        first, second = (asyncio.ensure_future(world.send(hub, payment())) for _ in range(2))
        await asyncio.sleep(0.05)

        first.cancel()
        await asyncio.wait([first])

        assert (first.cancelled(), (await second).answer) == (True, Answer.APPROVED)
        assert len(world.gateway.calls) == 1

    @virtually
    async def test_is_what_a_drain_waits_for(self) -> None:
        """It counts the executions, not the sends that wait for them."""
        world = await HubWorld().begin()
        hub = world.hub()
        sending = asyncio.ensure_future(world.send(hub, payment()))
        await asyncio.sleep(0.01)
        sending.cancel()

        left = await hub.wait_for_executions(timeout_s=0.01)
        left_later = await hub.wait_for_executions(timeout_s=10.0)

        assert (left, left_later, len(world.gateway.calls)) == (1, 0, 1)


class TestValidation:
    """A check of a payment method."""

    @virtually
    async def test_is_approved_once_a_minute(self) -> None:
        """Sends at once share a call, as do those within a minute."""
        world = await HubWorld().begin()
        hub = world.hub()

        at_once = await asyncio.gather(*(world.send(hub, validation()) for hub in (hub, hub, world.hub())))
        again = await world.send(world.hub(), validation())
        await asyncio.sleep(61)
        await world.send(hub, validation())

        assert {answer.answer for answer in (*at_once, again)} == {Answer.APPROVED}
        assert again.outcome == APPROVED
        assert len({facts.idempotency_key for facts in world.gateway.calls}) == len(world.gateway.calls) == 2

    @virtually
    async def test_is_declined_anew_each_time(self) -> None:
        """The payer may have put things right, and no key repeats the refusal."""
        world = await HubWorld(FakeGateway(behaviours=[decline])).begin()
        hub = world.hub()

        first, second = await world.send(hub, validation()), await world.send(hub, validation())

        assert (first.answer, second.answer) == (Answer.DECLINED, Answer.APPROVED)

    @virtually
    async def test_is_not_declined_again_while_the_store_is_slow(self) -> None:
        """A send that arrives after the answer does not join the execution, although that is still being recorded."""
        world = await HubWorld(FakeGateway(behaviours=[decline])).begin()
        hub, delete = world.hub(), world.store.inner.compare_and_delete

        async def delete_slowly(key: str, *, version: int) -> bool:
            await asyncio.sleep(2)
            return await delete(key, version=version)

        world.store.inner.compare_and_delete = delete_slowly  # type: ignore[method-assign]  # a slow store

        first, second = await world.send(hub, validation()), await world.send(hub, validation())

        assert (first.answer, second.answer, len(world.gateway.calls)) == (Answer.DECLINED, Answer.APPROVED, 2)
        assert await hub.wait_for_executions(timeout_s=10) == 0

    @virtually
    async def test_of_another_gateway_or_account_is_another_one(self) -> None:
        """An approval counts for the gateway that gave it, and for the account that it was given for."""
        first = FakeGateway()
        second = FakeGateway(name="sandbox", settings=dataclasses.replace(PLUGIN, hub="other"), behaviours=[decline])
        world = await HubWorld(first, second).begin()
        hub = world.hub()
        account = dataclasses.replace(validation(), account=Account("A00000004", "USD"))

        answers = [
            await world.send(hub, validation()),
            await world.send(hub, validation(), name="other"),
            await world.send(hub, account),
        ]

        assert [answer.answer for answer in answers] == [Answer.APPROVED, Answer.DECLINED, Answer.APPROVED]
        assert len(first.calls) == 2

    @virtually
    async def test_of_another_token_is_another_one(self) -> None:
        """What is checked is part of what is shared."""
        world = await HubWorld().begin()
        hub = world.hub()

        await asyncio.gather(world.send(hub, validation()), world.send(hub, validation("other")))

        assert len(world.gateway.calls) == 2

    @pytest.mark.parametrize(
        ("behaviour", "answer"),
        [
            (behave(ERROR), Answer.UNKNOWN),
            (behave(PENDING), Answer.UNKNOWN),
            (behave(NotSent("not connected")), Answer.SYSTEM),
            (behave(FAILED), Answer.FAILED),
        ],
    )
    @virtually
    async def test_is_answered_as_if_alone(self, behaviour: Behaviour, answer: Answer) -> None:
        """It moves no money, so that no earlier send puts it in doubt."""
        world = await HubWorld(FakeGateway(behaviours=[behave(ERROR), behaviour]), declared=False).begin()
        hub = world.hub()
        await world.send(hub, validation())

        assert (await world.send(hub, validation())).answer is answer

    @virtually
    async def test_is_answered_although_its_end_cannot_be_recorded(self) -> None:
        """It costs a second call at most."""
        world = await HubWorld().begin()
        world.store.failing = {"set"}

        assert (await world.send(world.hub(), validation())).answer is Answer.APPROVED
