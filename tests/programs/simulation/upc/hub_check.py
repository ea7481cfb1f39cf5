"""The invariants of the hub, checked against the gateways' books and Zuora's states."""

import itertools
from collections.abc import Iterator
from typing import Final

from payorch_server.upc.answers import MEAN_ERROR, Answer, HubAnswer, Situation
from payorch_server.upc.gateway_outcome import Result
from payorch_server.upc.hub_record import record_key

from programs.simulation.check import Violation
from programs.simulation.upc.choices import DAY_S
from programs.simulation.upc.hub_world import HubWorld
from programs.simulation.upc.plugin import PluginCall
from programs.simulation.upc.provider import Entry
from programs.simulation.upc.replica import LIMIT_S
from programs.simulation.upc.requests import Item, Purpose, Send, State

_MARGIN_S: Final = 0.5
_KEEPS_CONTRACT: Final = frozenset({"looks_up"})


class HubAuditor:
    """Holds what Zuora was answered against what was done."""

    def __init__(self, world: HubWorld) -> None:
        self._world = world
        self._moved: dict[str, list[Entry]] = {}
        for provider in world.providers.values():
            provider.ripen()
            for entry in provider.books:
                self._moved.setdefault(entry.about, []).append(entry)
            world.counts.executions["movements of money"] += len(provider.books)
        self._calls: dict[str, list[PluginCall]] = {}
        for call in world.calls:
            self._calls.setdefault(call.key, []).append(call)

    def violations(self) -> Iterator[Violation]:
        """Yield every broken promise."""
        items = self._world.items
        for purpose in items.collections:
            yield from self._moved_once("1 charged once", purpose)
        for purpose in items.refunds:
            yield from self._moved_once("4 refunded once", purpose)
        for item in items.all:
            yield from self._judge(item)
        for item in items.validations:
            for send in item.sends:
                yield from self._in_time(item, send)
                yield from self._validated(item, send)

    def _judge(self, item: Item) -> Iterator[Violation]:
        yield from self._error_moved_nothing(item)
        yield from self._one_call_at_a_time(item)
        yield from self._ends_last(item)
        yield from self._open_has_alarm(item)
        for send in item.sends:
            yield from self._in_time(item, send)
            yield from self._approved_was_done(item, send)

    # --- 1, 2, 4: money

    def _moved_once(self, rule: str, purpose: Purpose) -> Iterator[Violation]:
        moved = [(item, entry) for item in purpose.items for entry in self._moved.get(item.key, ())]
        if len(moved) < 2:
            return
        if any(self._excused(item) for item, _ in moved):
            return
        text = f"{purpose.name} moved {len(moved)} times, for {', '.join(item.id for item, _ in moved)}"
        yield Violation(rule, text, frozenset(item.key for item in purpose.items))

    def _error_moved_nothing(self, item: Item) -> Iterator[Violation]:
        """What is Error in Zuora is collected again."""
        if item.state is State.ERROR and item.key in self._moved and not self._excused(item):
            by = f"{item.settled_by} at {item.settled_s:.3f} s"
            yield Violation(
                "2 error moved nothing",
                f"{item.id} is Error by {by}; money moved at {self._moved[item.key][0].time_s:.3f} s",
                frozenset({item.key}),
            )

    def _approved_was_done(self, item: Item, send: Send) -> Iterator[Violation]:
        if send.answer is None or send.answer.answer is not Answer.APPROVED:
            return
        if not any(entry.time_s <= send.ended_s for entry in self._moved.get(item.key, ())):
            text = f"send {send.number} of {item.id} was approved, and no money had moved"
            yield Violation("3 approved was done", text, frozenset({item.key}))

    # --- 5: calls

    def _one_call_at_a_time(self, item: Item) -> Iterator[Violation]:
        for one, other in itertools.combinations(self._calls.get(item.key, ()), 2):
            if other.began_s >= one.ended_s or one.began_s >= other.ended_s:
                continue
            if record_key(item.key) in self._world.store.lost:
                self._exempt("calls at once, after the store lost the record")
                continue
            text = f"{one.replica} and {other.replica} called a gateway for {item.id} at once, {other.began_s:.3f} s"
            yield Violation("5 one call at a time", text, frozenset({item.key}))

    # --- 6, 7: answers

    def _in_time(self, item: Item, send: Send) -> Iterator[Violation]:
        if send.answer is None:
            return
        if send.answer.situation is Situation.DEFECT:
            yield Violation("0 unforeseen", f"send {send.number} of {item.id}: the hub failed", frozenset({item.key}))
        if send.ended_s - send.began_s > LIMIT_S + _MARGIN_S:
            text = f"send {send.number} of {item.id} took {send.ended_s - send.began_s:.3f} s"
            yield Violation("6 answered in time", text, frozenset({item.key}))

    def _ends_last(self, item: Item) -> Iterator[Violation]:
        """A final answer is the same ever after; refusals of the hub differ in their status only."""
        ends = [send for send in item.sends if send.answer and send.answer.answer is not Answer.UNKNOWN]
        ends.sort(key=lambda send: (send.ended_s, send.number))
        for one, other in itertools.pairwise(ends):
            if _end(one.answer) == _end(other.answer):
                continue
            if self._excused(item) or self._was_lost_between(one, other):
                continue
            text = f"{item.id}: send {one.number} {_end(one.answer)}, then send {other.number} {_end(other.answer)}"
            yield Violation("7 an end lasts", text, frozenset({item.key}))

    def _was_lost_between(self, one: Send, other: Send) -> bool:
        """Return whether the store lost everything after an end was recorded that Zuora did not act on."""
        lost = any(one.began_s <= time_s <= other.ended_s for time_s in self._world.store.emptied_s)
        if lost:
            self._exempt("another end, after the store lost the first one")
        return lost

    # --- 8, 9: what stays open

    def _open_has_alarm(self, item: Item) -> Iterator[Violation]:
        if item.state is not State.PROCESSING:
            return
        situation = next((send.answer.situation.name for send in reversed(item.sends) if send.answer), "no answer")
        self._world.counts.executions[f"open for good: {situation}"] += 1
        if item.key not in self._world.observer.alarms:
            text = f"{item.id} is in Processing for good, last {situation}, and no alarm names it"
            yield Violation("8 people are called", text, frozenset({item.key}))
        if reason := self._should_have_ended(item):
            yield Violation(
                "9 settles", f"{item.id} is in Processing, last {situation}: {reason}", frozenset({item.key})
            )

    def _should_have_ended(self, item: Item) -> str:
        """Return why a request should have ended by now; empty where it may stay open."""
        world = self._world
        called = {call.provider for call in self._calls.get(item.key, ())}
        if len(called) > 1 or world.choices.drops_old_key:
            return ""
        providers = {entry.provider for entry in world.registry.values()}
        if not called <= providers:
            return ""
        kinds = {world.providers[name].kind for name in called or providers}
        remembers_s = min(world.providers[name].remembers_days for name in called or providers) * DAY_S
        last_s = max((send.ended_s for send in item.sends if send.ended_s < float("inf")), default=0.0)
        if kinds <= _KEEPS_CONTRACT and last_s - item.first_sent_s < remembers_s:
            return f"its gateway {', '.join(sorted(called)) or 'was never called and'} can be looked up"
        return ""

    # --- 12: validations

    def _validated(self, item: Item, send: Send) -> Iterator[Violation]:
        if send.answer is None or send.answer.answer is not Answer.APPROVED:
            return
        if not any(Result.APPROVED in provider.validated.values() for provider in self._world.providers.values()):
            yield Violation("10 validated", f"a validation of {item.token} was approved by nobody", frozenset())

    # --- what cannot be prevented

    def _excused(self, item: Item) -> str:
        """Return why nothing could have prevented what happened to a request; empty if something could."""
        store, key = self._world.store, record_key(item.key)
        excuse = ""
        if key in store.rolled_back:
            excuse = "a failover lost writes of the record, and the epoch stayed"
        elif self._was_refused_before_a_loss(item):
            excuse = "the store lost a refusal while another send of it was under way"
        else:
            excuse = self._met_loss_and_more(item)
        if excuse:
            self._exempt(excuse)
        return excuse

    def _met_loss_and_more(self, item: Item) -> str:
        """Return what else was lost, where the store lost everything between two calls for a request."""
        for one, other in itertools.permutations(self._calls.get(item.key, ()), 2):
            if not any(one.began_s <= lost_s <= other.began_s for lost_s in self._world.store.emptied_s):
                continue
            if one.provider != other.provider:
                return "the store lost everything, and another gateway was meanwhile to be called"
            if other.began_s - one.began_s >= self._world.providers[one.provider].remembers_days * DAY_S:
                return "the store lost everything, and the gateway meanwhile forgot the key"
        return ""

    def _was_refused_before_a_loss(self, item: Item) -> bool:
        refused = [send for send in item.sends if send.answer and send.answer.answer in MEAN_ERROR]
        return any(
            send.ended_s <= lost_s <= other.ended_s and other.began_s <= item.settled_s
            for lost_s in self._world.store.emptied_s
            for send, other in itertools.permutations(item.sends, 2)
            if send in refused and other not in refused
        )

    def _exempt(self, excuse: str) -> None:
        self._world.counts.exempt[excuse] += 1


def _end(answer: HubAnswer | None) -> tuple[str, str]:
    """Return what of an answer must be the same in every send."""
    if answer is None or answer.answer in {Answer.NOT_UNDERSTOOD, Answer.UNAUTHORIZED}:
        return "refused by the hub", ""
    return str(answer.answer), answer.outcome.transaction_id if answer.outcome else ""
