"""The invariants, checked against Zuora's own books."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from programs.simulation.callers import Callers
from programs.simulation.clock import START
from programs.simulation.grpc_context import LOOK_UP, NEW, RESEND
from programs.simulation.intent import Answer, Intent, Purpose
from programs.simulation.sends import Proof, Send
from programs.simulation.world import World

_MARGIN_S: Final = 0.02
_DAY_S: Final = 24 * 3600.0
ABOUT_SOMETHING_ELSE: Final = frozenset({"INTENT_MISMATCH", "SESSION_STALE"})
"""These speak of the body or of the age of a result, not of the intent."""
_TRANSIENT: Final = frozenset({"UPSTREAM_LOCKED", "UPSTREAM_TEMPORARY"})
_OUT_OF_TIME: Final = frozenset({"STILL_RUNNING", "INTENT_NOT_RECORDED"})


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise."""

    rule: str
    text: str
    intents: frozenset[str]


@dataclass(frozen=True, slots=True)
class Execution:
    """One line of Zuora's ledger, with the request that caused it."""

    time_s: float
    send: Send
    key: str
    ids: frozenset[str]
    paid: bool


class Auditor:
    """Holds what callers were told against what was done."""

    def __init__(self, world: World, callers: Callers) -> None:
        self._world = world
        self._callers = callers
        self._executions: dict[str, list[Execution]] = {name: [] for name in callers.intents}
        for emulator in world.emulators.values():
            for entry in emulator.ledger.entries:
                if entry.operation == "token":
                    continue
                intent = callers.by_track_id[entry.track_id or ""]
                shown = ("payment_method_id", "payment_id", "session_token_sha256")
                self._executions[intent.name].append(
                    Execution(
                        time_s=(entry.time - START).total_seconds(),
                        send=world.network.sends.by_request_id[entry.request_id],
                        key=entry.idempotency_key or "",
                        ids=frozenset(entry.effects[name] for name in shown if name in entry.effects),
                        paid="payment_id" in entry.effects,
                    )
                )
        self._sends: dict[str, list[Send]] = {name: [] for name in callers.intents}
        for send in world.network.sends.all:
            if send.operation != "token":
                self._sends[callers.by_track_id[send.track_id].name].append(send)
        for found in self._executions.values():
            found.sort(key=lambda one: (one.time_s, one.send.number))
            world.counts.executions["executions"] += len(found)

    def violations(self) -> Iterator[Violation]:
        """Yield every broken promise."""
        for intent in self._callers.intents.values():
            yield from self._executed_once(intent)
            for answer in intent.answers:
                yield from self._told_rightly(intent, answer)
        for purpose in self._callers.purposes:
            yield from self._done_once(purpose)
        yield from self._sent_one_at_a_time()
        yield from self._sent_for_callers()

    # --- 1: once

    def _executed_once(self, intent: Intent) -> Iterator[Violation]:
        for one, other in itertools.combinations(self._executions[intent.name], 2):
            excuse = self._excuse_for_second(intent, one, other)
            if excuse:
                self._world.counts.exempt[excuse] += 1
                continue
            text = f"executed by send {one.send.number} at {one.time_s:.3f} s and by {other.send.number} again"
            yield Violation("1 executed once", text, frozenset({intent.name}))

    def _excuse_for_second(self, intent: Intent, one: Execution, other: Execution) -> str:
        is_session = intent.purpose.rpc == "CreateSession"
        if is_session and {one.key, other.key} != {intent.key}:
            return "a session under a fresh key after a recorded passing refusal"
        is_a_day_later = other.time_s - one.time_s >= _DAY_S
        if is_a_day_later and is_session and self._met_wrong_clock(intent):
            return "a session resent after a day by a wrong clock"
        if is_a_day_later and (self._was_timed_blindly(one.send) or self._was_timed_blindly(other.send)):
            return "sent by a wrong clock before any answer showed the time"
        # A late request executes again where Zuora has met another one under the key meanwhile, and forgot the first.
        between = (
            send
            for send in self._sends_of(intent)
            if one.time_s < send.time_s < other.time_s and send.meant != other.send.meant
        )
        if any(self._may_be_unknown_to(intent, send) for send in between):
            return "record lost, and route moved or body changed"
        if not self._may_be_unknown_to(intent, max(one.send, other.send, key=lambda send: send.number)):
            return ""
        if self._meant_otherwise(intent):
            return "record lost, and route moved or body changed"
        if is_a_day_later and not intent.timed and not self._knew_its_age(intent, other.send):
            return "record lost, and resent after a day under an id that tells no time"
        return ""

    def _done_once(self, purpose: Purpose) -> Iterator[Violation]:
        if purpose.rpc == "CreateSession":
            return
        done = [(intent, one) for intent in purpose.intents for one in self._executions[intent.name]]
        by_intent = {intent.name for intent, _ in done}
        if len(by_intent) > 1 and not any(self._record_was_missed(intent) for intent in purpose.intents):
            text = (
                f"{purpose.name} was done under {' and '.join(sorted(by_intent))} by a caller who followed the advice"
            )
            yield Violation("1b done once", text, frozenset(by_intent))

    # --- 2, 3, 4, 5: what callers were told

    def _told_rightly(self, intent: Intent, answer: Answer) -> Iterator[Violation]:
        for rule, text in self._wrong(intent, answer):
            yield Violation(rule, f"call {answer.number}: {text}", frozenset({intent.name}))

    def _wrong(self, intent: Intent, answer: Answer) -> Iterator[tuple[str, str]]:
        seen = answer.seen
        if answer.ended_s - answer.began_s > answer.allowed_s + _MARGIN_S:
            yield "4 deadline", f"took {answer.ended_s - answer.began_s:.3f} s of {answer.allowed_s} s"
        if seen.reason == "INTERNAL":
            yield "0 unforeseen", "the service failed in a way it did not foresee"
        # A session in doubt cannot be looked up, and does nothing until a browser uses it.
        settles = NEW if intent.purpose.rpc == "CreateSession" and seen.outcome == "UNKNOWN" else LOOK_UP
        if seen.outcome in {"UNKNOWN", "PARTIAL"} and seen.advice not in {settles, RESEND}:
            yield "3 advice", f"{seen.outcome} came with {seen.advice}"
        if seen.outcome == "PARTIAL" and seen.advice != LOOK_UP:
            yield "3 advice", f"PARTIAL came with {seen.advice}"
        known = {one for done in self._executions[intent.name] for one in done.ids}
        if not seen.ids <= known:
            yield "5 own ids", f"names {sorted(seen.ids - known)}, which Zuora did not make for this intent"
        if (
            seen.outcome == "SUCCEEDED"
            and not seen.ids
            and not (answer.looked_up and intent.purpose.rpc == "CreateSession")
        ):
            yield "2 success", "names nothing"
        if seen.outcome == "REFUSED" or (seen.outcome == "NOT_SENT" and seen.advice != RESEND):
            yield from self._denied(intent, answer)
        yield from self._waited_rightly(intent, answer)
        yield from self._not_sent(intent, answer)
        yield from self._refused_legibly(intent, answer)
        excused = self._record_was_missed(intent) or self._met_wrong_clock(intent)
        if seen.reason == "INTENT_EXPIRED" and not excused:
            promised = [one.seen.resend_before_s for one in intent.answers if one.seen.resend_before_s]
            if promised and START.timestamp() + answer.ended_s < min(promised):
                yield "3 resend_before", "expired before the promised time"

    def _waited_rightly(self, intent: Intent, answer: Answer) -> Iterator[tuple[str, str]]:
        """A wait that outlasts every caller is not begun: they hear at once what the attempts prove."""
        if answer.left or answer.looked_up or answer.seen.reason not in _OUT_OF_TIME:
            return
        # The end of an execution is recorded before it is answered.
        if f"intent:{intent.key}" in self._world.store.slow | self._world.store.troubled:
            return
        sends = [one for one in self._sends_of(intent) if one.instance == answer.instance]
        last = max(sends, key=lambda one: one.number, default=None)
        for one in sends:
            waits_until_s = one.ended_s + one.wait_s
            is_last = last is not None and not any(one.ended_s <= other.time_s <= answer.ended_s for other in sends)
            could_help = any(
                other.instance == answer.instance and other.began_s + other.allowed_s > waits_until_s
                for other in intent.answers
            )
            in_call = answer.began_s < one.ended_s < answer.ended_s - _MARGIN_S
            if one.wait_s and in_call and is_last and waits_until_s > answer.ended_s and not could_help:
                yield "4 waits", f"send {one.number} was to be repeated after {one.wait_s} s, when no call waited"

    def _not_sent(self, intent: Intent, answer: Answer) -> Iterator[tuple[str, str]]:
        """NOT_SENT is not told of an executed intent by what knows better: its record, its process, or gRPC."""
        if answer.seen.outcome != "NOT_SENT" or answer.looked_up or answer.seen.reason in ABOUT_SOMETHING_ELSE:
            return
        done = [one for one in self._executions[intent.name] if one.time_s < answer.began_s]
        if not done:
            return
        reads = self._world.store.reads.get(f"intent:{intent.key}", ())
        read = any(by == answer.instance and answer.read_since_s < at_s <= answer.ended_s for at_s, by in reads)
        sent_here = any(
            one.instance == answer.instance and one.time_s < answer.began_s and one.proof is not Proof.UNSENT
            for one in self._sends_of(intent)
        )
        told = f"NOT_SENT {answer.seen.reason}, and send {done[0].send.number} had executed it"
        if read and not self._record_was_missed(intent):
            yield "2 not sent", f"{told}, as its record showed"
        elif not read and (answer.is_retry or sent_here):
            yield "2 not sent", f"{told}, as {'gRPC' if answer.is_retry else 'the process'} knew"

    def _refused_legibly(self, intent: Intent, answer: Answer) -> Iterator[tuple[str, str]]:
        """Only a whole answer of Zuora's refuses."""
        if answer.seen.outcome != "REFUSED" or answer.seen.reason in ABOUT_SOMETHING_ELSE:
            return
        # Callers of the same intent receive the same result, no matter which of them sent it.
        if not any(one.refused and one.ended_s <= answer.ended_s for one in self._sends_of(intent)):
            yield "2 refused", f"REFUSED {answer.seen.reason}, and no whole answer of Zuora's refused it"

    def _denied(self, intent: Intent, answer: Answer) -> Iterator[tuple[str, str]]:
        if answer.seen.reason in ABOUT_SOMETHING_ELSE:
            return
        refused = answer.seen.outcome == "REFUSED"
        for one in self._executions[intent.name]:
            if one.send.time_s > answer.ended_s and not refused:
                continue
            excuse = self._excuse_for_denial(intent, answer, one)
            if excuse:
                self._world.counts.exempt[excuse] += 1
                continue
            yield "2 denied", f"{answer.seen.outcome} {answer.seen.reason}, and send {one.send.number} executed it"

    def _excuse_for_denial(self, intent: Intent, answer: Answer, done: Execution) -> str:
        if intent.purpose.rpc == "CreateSession" and intent.key != done.key:
            return "a session under a fresh key after a recorded passing refusal"
        if answer.began_s - done.time_s >= _DAY_S and self._was_timed_blindly(done.send):
            return "sent by a wrong clock before any answer showed the time"
        excuse = self._excuse_by_lost_record(intent, answer, done) if self._record_was_missed(intent) else ""
        if not excuse and answer.seen.outcome == "REFUSED" and self._refusal_was_unknown_to(intent, done.send):
            return "sent without a record by a process that had not met the recorded refusal"
        return excuse

    def _refusal_was_unknown_to(self, intent: Intent, send: Send) -> bool:
        """Return whether a send had no record, and its process had neither heard nor read of a refusal before it."""
        refused = [one for one in self._sends_of(intent) if one.refused and one.ended_s <= send.time_s]
        if not refused or not self._was_sent_unrecorded(intent, send):
            return False
        reads = self._world.store.reads.get(f"intent:{intent.key}", ())
        heard = any(one.instance == send.instance for one in refused)
        return not heard and not any(
            by == send.instance and refused[0].ended_s < at_s <= send.time_s for at_s, by in reads
        )

    def _excuse_by_lost_record(self, intent: Intent, answer: Answer, done: Execution) -> str:
        if done.send.time_s > answer.ended_s:
            return "record lost, and resent although it was refused"
        if answer.began_s - done.time_s >= _DAY_S and not intent.timed:
            return "record lost, and resent after a day under an id that tells no time"
        if self._meant_otherwise(intent):
            return "record lost, and route moved or body changed"
        if answer.seen.reason in _TRANSIENT and not self._world.choices.transient_stored:
            return "record lost, and Zuora does not store its passing refusals"
        if answer.seen.reason == "APPLE_PAY_TOKEN_REUSED":
            return "record lost, and its token was taken by another intent meanwhile"
        return ""

    def _sends_of(self, intent: Intent) -> list[Send]:
        return self._sends[intent.name]

    def _may_be_unknown_to(self, intent: Intent, resend: Send) -> bool:
        """Return whether neither the store nor the instance's own memory could show a resend what was sent before."""
        key, before = f"intent:{intent.key}", [one for one in self._sends_of(intent) if one.number < resend.number]
        # 1. A session is sent without a record while the store is away.
        if intent.purpose.rpc == "CreateSession":
            return key in self._world.store.troubled
        # 2. So is a payment method where that is allowed: without the store, nothing is known of what was recorded;
        # with it, nothing of what was not, which the answer advised to look up.
        is_allowed = self._world.choices.allow_unrecorded
        if is_allowed and self._was_sent_unrecorded(intent, resend):
            return True
        if (
            is_allowed
            and any(self._was_sent_unrecorded(intent, one) for one in before)
            and not self._was_advised(intent, resend)
        ):
            return True
        # 3. The store had it and lost it. A process that sent it knows its route, though not its body or its age.
        knows_better = any(
            one.instance == resend.instance and one.place != resend.place and one.proof is not Proof.UNSENT
            for one in before
        )
        return key in self._world.store.lost and not knows_better

    def _was_advised(self, intent: Intent, resend: Send) -> bool:
        """Return whether every answer before a resend advised it, and none was lost."""
        heard = [one for one in intent.answers if not one.looked_up and one.ended_s <= resend.time_s]
        waiting = [one for one in intent.answers if one.began_s <= resend.time_s < one.ended_s]
        is_same = len({one.body for one in (*heard, *waiting)}) == 1
        return is_same and len(waiting) == 1 and all(not one.left and one.seen.advice == RESEND for one in heard)

    def _was_sent_unrecorded(self, intent: Intent, send: Send) -> bool:
        """Return whether a send belongs to an execution without a record."""
        begun = [
            at_s for at_s in self._world.notes.unrecorded.get((send.instance, intent.key), ()) if at_s <= send.time_s
        ]
        reads = self._world.store.reads.get(f"intent:{intent.key}", ())
        return bool(begun) and not any(by == send.instance and begun[-1] < at_s <= send.time_s for at_s, by in reads)

    def _knew_its_age(self, intent: Intent, resend: Send) -> bool:
        """Return whether the process of a resend had sent it a day before."""
        if intent.purpose.rpc == "CreateSession":
            return False
        here = [one for one in self._sends_of(intent) if one.instance == resend.instance]
        return resend.time_s - here[0].time_s >= _DAY_S

    def _was_timed_blindly(self, send: Send) -> bool:
        """Return whether a wrong clock judged a send, and no answer had shown its instance the time."""
        return not send.informed and self._clock_was_wrong(send.instance, send.time_s, send.time_s)

    def _clock_was_wrong(self, instance: str, from_s: float, until_s: float) -> bool:
        return self._world.wrong_clocks.met(instance, from_s=from_s, until_s=until_s)

    def _met_wrong_clock(self, intent: Intent) -> bool:
        return any(self._clock_was_wrong(one.instance, one.began_s, one.ended_s) for one in intent.answers)

    def _meant_otherwise(self, intent: Intent) -> bool:
        """Tell whether two different things were sent under the intent's key."""
        return len({send.meant for send in self._world.network.sends.all if send.key == intent.key}) > 1

    def _record_was_missed(self, intent: Intent) -> bool:
        return f"intent:{intent.key}" in self._world.store.troubled

    # --- one execution at a time

    def _sent_one_at_a_time(self) -> Iterator[Violation]:
        for one, other in self._world.network.sends.overlaps:
            intent = self._callers.by_track_id[other.track_id]
            # Leases of replicas whose clocks differ end too early.
            excused = self._record_was_missed(intent) or self._met_wrong_clock(intent)
            if one.instance == other.instance or not excused:
                text = f"send {other.number} left while {one.instance} waited for send {one.number}"
                yield Violation("7 one execution", text, frozenset({intent.name}))

    # --- nothing is sent for callers who left

    def _sent_for_callers(self) -> Iterator[Violation]:
        for intent in self._callers.intents.values():
            calls = [one for one in intent.answers if not one.looked_up]
            in_doubt = self._record_was_missed(intent)
            for send in self._sends_of(intent):
                awaited = any(
                    one.instance == send.instance and one.began_s <= send.time_s <= one.ended_s for one in calls
                )
                if not awaited and not in_doubt and (send.instance, intent.key) not in self._world.notes.taken_over:
                    text = f"send {send.number} left when no call waited and nothing was in doubt"
                    yield Violation("4 callers", text, frozenset({intent.name}))
                in_doubt |= send.proof is not Proof.UNSENT
