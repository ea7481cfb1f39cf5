"""The invariants of the hub, checked against the gateways' books and Zuora's states."""

import itertools
from collections.abc import Iterator
from typing import Final

from payorch_server.upc.answers import MEAN_ERROR, Answer, HubAnswer, Situation
from payorch_server.upc.gateway_outcome import Result
from payorch_server.upc.hub_ledger import ANSWER_KEPT_S
from payorch_server.upc.hub_record import record_key

from programs.simulation.check import Violation
from programs.simulation.upc.choices import DAY_S
from programs.simulation.upc.hub_world import HubWorld
from programs.simulation.upc.plugin import PluginCall
from programs.simulation.upc.provider import Entry
from programs.simulation.upc.replica import LIMIT_S
from programs.simulation.upc.requests import Item, Purpose, Send, State

_MARGIN_S: Final = 0.5
_LOOKS_UP: Final = frozenset({"looks_up", "hasty"})
_NOT_CALLED_S: Final = 50.0
"""How long before a gateway may forget a key it is not used any more."""
_APPROVAL_KEPT_S: Final = 60.0


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

        self._validations: dict[tuple[str, Result], list[float]] = {}
        for provider in world.providers.values():
            for key, token_and_result in provider.validated.items():
                ended_s = [call.ended_s for call in self._calls[key]]
                self._validations.setdefault(token_and_result, []).extend(ended_s)

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
        if item.settled_by == "hub" and any(
            send.answer and send.answer.answer is Answer.UNKNOWN for send in item.sends
        ):
            self._world.counts.executions["settled after being unknown"] += 1
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
        if not send.is_recorded:
            text = f"send {send.number} of {item.id} was refused before that was recorded"
            yield Violation("12 errors are recorded first", text, frozenset({item.key}))
        if send.ended_s - send.began_s > LIMIT_S + _MARGIN_S:
            text = f"send {send.number} of {item.id} took {send.ended_s - send.began_s:.3f} s"
            yield Violation("6 answered in time", text, frozenset({item.key}))

    def _ends_last(self, item: Item) -> Iterator[Violation]:
        """A final answer is the same ever after; refusals of the hub differ in their status only."""
        ends = [send for send in item.sends if send.answer and send.answer.answer is not Answer.UNKNOWN]
        ends.sort(key=lambda send: (send.ended_s, send.number))
        for one, other in itertools.pairwise(ends):
            if _end(one.answer) == _end(other.answer) or self._is_remembered_refusal(item, one, other):
                continue
            if self._is_forgotten_refusal(one, other) or self._excused(item) or self._was_lost_between(one, other):
                continue
            text = f"{item.id}: send {one.number} {_end(one.answer)}, then send {other.number} {_end(other.answer)}"
            yield Violation("7 an end lasts", text, frozenset({item.key}))

    def _is_remembered_refusal(self, item: Item, one: Send, other: Send) -> bool:
        """Return whether the store lost an end that meant Error, and the process remembered only that."""
        both = {send.answer.answer for send in (one, other) if send.answer}
        return both <= MEAN_ERROR and record_key(item.key) in self._world.store.lost

    def _is_forgotten_refusal(self, one: Send, other: Send) -> bool:
        """Return whether Zuora did not hear a refusal of credentials, of which there was no record any more."""
        is_refusal = one.answer is not None and one.answer.situation is Situation.CREDENTIALS_REFUSED
        is_forgotten = is_refusal and other.ended_s > one.began_s + ANSWER_KEPT_S
        if is_forgotten:
            self._exempt("charged 72 hours after a refusal of credentials that Zuora did not hear")
        return is_forgotten

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
        # A gateway may be pinned and not called, where it only could not be asked.
        is_record_of_first_call = item.key in self._calls and record_key(item.key) not in self._world.store.lost
        elsewhere = {Situation.GATEWAY_CHANGED.name, Situation.TOO_OLD.name}
        is_pinned_elsewhere = situation in elsewhere and not is_record_of_first_call
        if not is_pinned_elsewhere and (reason := self._should_have_ended(item)):
            yield Violation(
                "9 settles", f"{item.id} is in Processing, last {situation}: {reason}", frozenset({item.key})
            )

    def _should_have_ended(self, item: Item) -> str:
        """Return why a request should have ended by now; empty where it may stay open."""
        world = self._world
        called = {call.provider for call in self._calls.get(item.key, ())}
        served = {entry.provider for entry in world.registry.values()}
        last_s = max((send.ended_s for send in item.sends if send.ended_s < float("inf")), default=0.0)
        providers = [world.providers[name] for name in sorted(called or served)]
        is_remembered = all(
            last_s - item.first_sent_s < provider.remembers_days * DAY_S - _NOT_CALLED_S for provider in providers
        )
        if len(called) > 1 or not called <= served or not is_remembered or world.choices.drops_old_key:
            return ""
        if all(provider.kind in _LOOKS_UP for provider in providers):
            return f"{providers[0].name} can be looked up"
        if providers[0].kind == "no_look_up" and item.key in self._moved:
            return f"{providers[0].name} would approve it again"
        return ""

    # --- 10: validations

    def _validated(self, item: Item, send: Send) -> Iterator[Violation]:
        """An approval is at most a minute old, a refusal is of a call that ended after the send arrived."""
        answer = send.answer.answer if send.answer else Answer.UNKNOWN
        said = {Answer.APPROVED: Result.APPROVED, Answer.DECLINED: Result.DECLINED, Answer.FAILED: Result.FAILED}.get(
            answer
        )
        if said is None:
            return
        since_s = send.began_s - (_APPROVAL_KEPT_S if said is Result.APPROVED else 0.0) - _MARGIN_S
        if not any(since_s <= ended_s <= send.ended_s for ended_s in self._validations.get((item.token, said), ())):
            text = f"send {send.number} of a validation of {item.token}: {answer}, and no gateway said that then"
            yield Violation("10 validated", text, frozenset({item.key}))

    # --- what cannot be prevented

    def _excused(self, item: Item) -> str:
        """Return why nothing could have prevented what happened to a request; empty if something could."""
        store, key = self._world.store, record_key(item.key)
        excuse = ""
        if key in store.rolled_back and not self._knew_better(item):
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

    def _knew_better(self, item: Item) -> bool:
        """Return whether the process that refused had called, or the one that called had refused before."""
        refused = [send for send in item.sends if send.answer and send.answer.answer in MEAN_ERROR]
        return any(
            send.replica == call.replica and not send.began_s <= call.began_s <= send.ended_s
            for send in refused
            for call in self._calls.get(item.key, ())
        )

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
