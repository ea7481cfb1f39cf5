"""The invariants, checked against Zuora's own books."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from programs.simulation.callers import Callers
from programs.simulation.clock import START
from programs.simulation.grpc_context import LOOK_UP, NEW, RESEND
from programs.simulation.intent import Answer, Intent, Purpose
from programs.simulation.network import Send
from programs.simulation.world import World

_MARGIN_S: Final = 0.02
_DAY_S: Final = 24 * 3600.0
# These speak of the body or of the age of a result, not of the intent.
_ABOUT_SOMETHING_ELSE: Final = frozenset({"INTENT_MISMATCH", "SESSION_STALE"})
_TRANSIENT: Final = frozenset({"UPSTREAM_LOCKED", "UPSTREAM_TEMPORARY"})


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
        if intent.purpose.rpc == "CreateSession" and {one.key, other.key} != {intent.key}:
            return "a session under a fresh key after a recorded passing refusal"
        if not self._record_was_missed(intent):
            return ""
        if self._meant_otherwise(intent):
            return "record lost, and route moved or body changed"
        if other.time_s - one.time_s >= _DAY_S and not intent.timed:
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
        if seen.reason == "INTENT_EXPIRED" and not self._record_was_missed(intent):
            promised = [one.seen.resend_before_s for one in intent.answers if one.seen.resend_before_s]
            if promised and START.timestamp() + answer.ended_s < min(promised):
                yield "3 resend_before", "expired before the promised time"

    def _denied(self, intent: Intent, answer: Answer) -> Iterator[tuple[str, str]]:
        if answer.seen.reason in _ABOUT_SOMETHING_ELSE:
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
        if not self._record_was_missed(intent):
            return ""
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

    def _meant_otherwise(self, intent: Intent) -> bool:
        """Tell whether two different things were sent under the intent's key."""
        return len({send.meant for send in self._world.network.sends.all if send.key == intent.key}) > 1

    def _record_was_missed(self, intent: Intent) -> bool:
        return f"intent:{intent.key}" in self._world.store.troubled

    # --- one execution at a time

    def _sent_one_at_a_time(self) -> Iterator[Violation]:
        for one, other in self._world.network.sends.overlaps:
            intent = self._callers.by_track_id[other.track_id]
            if one.instance == other.instance or not self._record_was_missed(intent):
                text = f"send {other.number} left while {one.instance} waited for send {one.number}"
                yield Violation("7 one execution", text, frozenset({intent.name}))
