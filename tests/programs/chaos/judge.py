"""Finds what went wrong in a run: compares the ledgers with the answers that callers received; pure functions."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from programs.chaos.callers import is_open
from programs.simulation.check import ABOUT_SOMETHING_ELSE
from programs.simulation.grpc_context import LOOK_UP, NEW, RESEND
from programs.simulation.intent import Answer, Intent, Purpose

DOUBLE_MONEY: Final = "money moved twice"
DOUBLE: Final = "executed twice"
REFUSED: Final = "executed, answered refused"
SUCCEEDED: Final = "answered success, not executed"
LOST: Final = "lost"
UNSETTLED: Final = "unsettled"
MISPLACED: Final = "wrong place"
LEAKED: Final = "secret in a log"
UNFORESEEN: Final = "unforeseen"
RULES: Final = (DOUBLE_MONEY, DOUBLE, REFUSED, SUCCEEDED, LOST, UNSETTLED, MISPLACED, LEAKED, UNFORESEEN)
"""None of these may happen, unless the documents say why it may."""
FRESH_KEY: Final = "a session under a fresh key after a recorded passing refusal"
UNRECORDED: Final = "a session without a record while the store was away"
RECORD_LOST: Final = "the record was lost, and the route or the body changed"
_ADVICE_IN_DOUBT: Final = frozenset({LOOK_UP, RESEND})
_RELOAD_S: Final = 10.0
"""How long replicas may take to use a changed policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One entry in the ledger of a Zuora."""

    time_s: float
    place: str
    account: str
    track_id: str
    key: str
    ids: frozenset[str]
    """Of what was created."""
    is_paid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a run is judged by."""

    purposes: Sequence[Purpose]
    by_track_id: Mapping[str, Intent]
    executions: Sequence[Execution]
    places: Sequence[tuple[float, str]]
    """The destinations of new intents: since when, and which place."""
    moves_s: Sequence[float] = ()
    """When place or gateway changed."""
    losses_s: Sequence[float] = ()
    """When the store lost records."""
    away_s: Sequence[tuple[float, float]] = ()
    """Begin and end of each time in which the store failed either replica."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule, or one that the documents except."""

    rule: str
    text: str
    from_s: float = 0.0
    until_s: float = 0.0
    """When the calls concerned were made."""
    excuse: str = ""
    """Why the documents allow it; empty: they do not."""


def judge(evidence: Evidence) -> list[Finding]:
    """Return every broken rule, and every exception that the documents allow."""
    return list(_Judge(evidence).findings())


class _Judge:
    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._executions: dict[str, list[Execution]] = {}
        self._strays: list[Execution] = []
        for execution in sorted(evidence.executions, key=lambda execution: execution.time_s):
            intent = evidence.by_track_id.get(execution.track_id)
            if intent is None:
                self._strays.append(execution)
            else:
                self._executions.setdefault(intent.name, []).append(execution)

    def findings(self) -> Iterator[Finding]:
        for stray in self._strays:
            # A caller that is advised to look up asks Zuora by the Track-Ids of its own calls.
            text = f"{stray.key} was executed under {stray.track_id or 'no Track-Id'}, which no caller knows"
            yield Finding(LOST, text, stray.time_s, stray.time_s)
        for purpose in self._evidence.purposes:
            yield from self._done_once(purpose)
            for intent in purpose.intents:
                yield from self._executed_once(intent)
                yield from self._answered_correctly(intent)
                yield from self._settled(intent)
                yield from self._executed_in_place(intent)

    # --- doubles

    def _executed_once(self, intent: Intent) -> Iterator[Finding]:
        for first, second in itertools.pairwise(self._executions_of(intent)):
            rule = DOUBLE_MONEY if first.is_paid or second.is_paid else DOUBLE
            text = f"executed at {first.place} {first.time_s:.3f} s and at {second.place} {second.time_s:.3f} s"
            yield self._finding(rule, intent, text, self._excuse(intent, second.time_s, key=second.key))

    def _done_once(self, purpose: Purpose) -> Iterator[Finding]:
        done = [intent for intent in purpose.intents if self._executions.get(intent.name)]
        if purpose.rpc == "CreateSession" or len(done) < 2:
            return
        is_paid = any(execution.is_paid for intent in done for execution in self._executions_of(intent))
        text = f"done under {' and '.join(intent.name for intent in done)} by a caller that followed the advice"
        yield self._finding(DOUBLE_MONEY if is_paid else DOUBLE, done[-1], text, "")

    # --- what callers were answered

    def _answered_correctly(self, intent: Intent) -> Iterator[Finding]:
        done = self._executions_of(intent)
        for answer in intent.answers:
            seen = answer.seen
            if mismatch := self._wrong_effect(intent, answer):
                yield self._finding(SUCCEEDED, intent, f"call {answer.number} received {seen.outcome} {mismatch}", "")
            if _denies(answer) and done:
                text = f"call {answer.number} received {seen.outcome} {seen.reason}, and it was executed"
                yield self._finding(REFUSED, intent, text, self._excuse(intent, answer.ended_s, key=done[-1].key))
            if advised := _wrong_advice(intent, answer):
                yield self._finding(UNFORESEEN, intent, f"call {answer.number} received {advised}", "")

    def _wrong_effect(self, intent: Intent, answer: Answer) -> str:
        """Return what an answer names or promises that Zuora does not have; empty if it has all of it."""
        seen, done = answer.seen, self._executions_of(intent)
        known = {id_ for execution in done for id_ in execution.ids}
        if not seen.ids <= known:
            return f"with {sorted(seen.ids)}, and Zuora has {sorted(known)}"
        if seen.outcome != "SUCCEEDED":
            return ""
        if not done:
            return "and it was not executed"
        if intent.purpose.pays and not any(execution.is_paid for execution in done):
            return "and no money moved"
        # The record of a session does not name it.
        if not seen.ids and not (answer.looked_up and intent.purpose.rpc == "CreateSession"):
            return "with no ids"
        return ""

    def _settled(self, intent: Intent) -> Iterator[Finding]:
        if is_open(intent):
            last = intent.answers[-1].seen if intent.answers else None
            received = f"{last.outcome} {last.reason}" if last else "nothing"
            text = f"received {received} in the end, and was executed {self._count(intent)}"
            yield self._finding(UNSETTLED, intent, text, "")

    def _executed_in_place(self, intent: Intent) -> Iterator[Finding]:
        for execution in self._executions_of(intent):
            if execution.is_paid and not intent.purpose.pays:
                yield self._finding(UNFORESEEN, intent, "moved money, for which its caller did not ask", "")
            if execution.account != intent.purpose.account_id:
                text = f"for {intent.purpose.account_id} it was executed for {execution.account}"
                yield self._finding(MISPLACED, intent, text, "")
            if execution.place not in self._places_between(_began_s(intent), execution.time_s):
                text = (
                    f"executed at {execution.place} {execution.time_s:.3f} s, where no policy has led since its start"
                )
                yield self._finding(MISPLACED, intent, text, "")

    # --- what the documents allow

    def _excuse(self, intent: Intent, until_s: float, *, key: str) -> str:
        """Return why the documents allow a second or a denied execution; empty if they do not.

        Args:
            intent: What was executed.
            until_s: When it was executed again, or denied.
            key: Of that execution.
        """
        began_s = _began_s(intent)
        is_session = intent.purpose.rpc == "CreateSession"
        if key != intent.key:
            # A lost record does not change the key of anything else.
            return FRESH_KEY if is_session else ""
        is_away = any(begin_s <= until_s and end_s >= began_s for begin_s, end_s in self._evidence.away_s)
        if is_session and is_away:
            return UNRECORDED
        is_lost = any(began_s <= lost_s <= until_s for lost_s in self._evidence.losses_s)
        is_moved = any(began_s - _RELOAD_S <= moved_s <= until_s for moved_s in self._evidence.moves_s)
        # A body that was refused before it was sent explains nothing.
        bodies = {answer.body for answer in intent.answers if answer.seen.outcome != "NOT_SENT"}
        if is_lost and (is_moved or len(bodies) > 1):
            return RECORD_LOST
        return ""

    # --- facts

    def _executions_of(self, intent: Intent) -> list[Execution]:
        return self._executions.get(intent.name, [])

    def _count(self, intent: Intent) -> str:
        count = len(self._executions_of(intent))
        return "not at all" if not count else f"{count} times"

    def _places_between(self, begin_s: float, end_s: float) -> AbstractSet[str]:
        """Return where policies led at some moment between two, while replicas may have had older ones."""
        found = set()
        for (since_s, place), following in itertools.zip_longest(self._evidence.places, self._evidence.places[1:]):
            until_s = following[0] + _RELOAD_S if following else float("inf")
            if since_s - 1 <= end_s and until_s >= begin_s:
                found.add(place)
        return found

    def _finding(self, rule: str, intent: Intent, text: str, excuse: str) -> Finding:
        ended_s = max((answer.ended_s for answer in intent.answers), default=0.0)
        return Finding(rule, f"{intent.name} ({intent.purpose.rpc}) {text}", _began_s(intent), ended_s, excuse)


def _began_s(intent: Intent) -> float:
    """Return when the first call began; answers are in the order of their ends."""
    return min((answer.began_s for answer in intent.answers), default=0.0)


def _denies(answer: Answer) -> bool:
    """Return whether an answer says that the intent was not executed and will not be."""
    seen = answer.seen
    if seen.reason in ABOUT_SOMETHING_ELSE:
        return False
    return seen.outcome == "REFUSED" or (seen.outcome == "NOT_SENT" and seen.advice != RESEND)


def _wrong_advice(intent: Intent, answer: Answer) -> str:
    """Return outcome and advice if they contradict each other."""
    seen = answer.seen
    allowed = _ADVICE_IN_DOUBT | ({NEW} if intent.purpose.rpc == "CreateSession" else set())
    if seen.outcome in {"UNKNOWN", "PARTIAL"} and seen.advice not in allowed:
        return f"{seen.outcome} with the advice {seen.advice}"
    return ""


def judge_hub(
    *, keys: Mapping[str, str], approved: AbstractSet[str], refused: AbstractSet[str], moved: Counter[str]
) -> list[Finding]:
    """Return what the hub did wrong.

    Args:
        keys: Of all payments, by Zuora's id.
        approved: Ids of those that Zuora shows as Processed.
        refused: Ids of those that Zuora shows as Error.
        moved: How often money moved, by key, by the gateway's ledger.
    """
    findings = [
        Finding(DOUBLE_MONEY, f"payment {key} moved money {count} times") for key, count in moved.items() if count > 1
    ]
    findings += [
        Finding(LOST, f"money moved under {key}, which is no payment's key") for key in moved.keys() - keys.values()
    ]
    for id_, key in keys.items():
        if id_ in approved and not moved[key]:
            findings.append(Finding(SUCCEEDED, f"payment {id_} is Processed and moved no money"))
        if id_ in refused and moved[key]:
            findings.append(Finding(REFUSED, f"payment {id_} is Error and moved money"))
        if id_ not in approved and id_ not in refused:
            findings.append(Finding(UNSETTLED, f"payment {id_} is still in Processing"))
    return findings


def leaks(logs: Mapping[str, bytes], secrets: Iterable[str]) -> list[Finding]:
    """Return a finding for each secret in each log, without the secret."""
    return [
        Finding(LEAKED, f"{name} has {logs[name].count(secret.encode())} times what begins with {secret[:4]}")
        for name in logs
        for secret in secrets
        if secret.encode() in logs[name]
    ]
