from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from zuora_emulator.answers import Answer
from zuora_emulator.idempotency import KEPT_FOR, Idempotency, Scope, Verdict
from zuora_emulator.settings import Settings

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
SCOPES = [Scope("1", "POST", "/a"), Scope("2", "POST", "/a"), Scope("1", "PATCH", "/a"), Scope("1", "POST", "/b")]
BODIES = [b"one", b"two"]


class IdempotencyMachine(RuleBasedStateMachine):
    """Compares the store with a model that writes every rule out."""

    keys = Bundle("keys")

    @initialize(
        target=keys,
        on_other_body=st.sampled_from(["replay", "refuse", "execute"]),
    )
    def start(self, on_other_body: str) -> object:
        """Begin with an empty store and three keys."""
        self.on_other_body = on_other_body
        self.store = Idempotency(Settings(body_mismatch=on_other_body))
        self.now = START
        self.scope_of: dict[str, Scope] = {}
        self.body_of: dict[str, bytes] = {}
        self.set_at: dict[str, datetime] = {}
        self.answers: dict[str, Answer | None] = {}
        self.serial = 0
        return multiple("k1", "k2", "k3")

    def expected(self, key: str, scope: Scope, body: bytes) -> Verdict | Answer:
        """What the documents and the switch say."""
        if key not in self.answers:
            return Verdict.EXECUTE
        answer = self.answers[key]
        if answer is not None and self.now - self.set_at[key] >= KEPT_FOR:
            return Verdict.EXECUTE
        if scope != self.scope_of[key]:
            return Verdict.OTHER_SCOPE
        if answer is None:
            return Verdict.IN_FLIGHT
        if body == self.body_of[key]:
            return answer
        return {"replay": answer, "refuse": Verdict.OTHER_BODY, "execute": Verdict.EXECUTE}[self.on_other_body]

    @rule(key=keys, scope=st.sampled_from(SCOPES), body=st.sampled_from(BODIES))
    def begin(self, key: str, scope: Scope, body: bytes) -> None:
        """Send a call."""
        expected = self.expected(key, scope, body)

        verdict = self.store.begin(key, scope=scope, body=body, now=self.now)

        assert verdict == expected
        if verdict is Verdict.EXECUTE:
            self.scope_of[key], self.body_of[key], self.set_at[key] = scope, body, self.now
            self.answers[key] = None

    @rule(key=keys, status=st.sampled_from([200, 400, 500]))
    def finish(self, key: str, status: int) -> None:
        """Finish a call in flight, if there is one."""
        if key in self.answers and self.answers[key] is None:
            self.serial += 1
            answer = Answer(status, str(self.serial).encode())
            self.store.finish(key, answer)
            self.answers[key] = answer

    @rule(key=keys)
    def abandon(self, key: str) -> None:
        """Give a call in flight up, if there is one."""
        if key in self.answers and self.answers[key] is None:
            self.store.abandon(key)
            del self.answers[key]

    @rule(hours=st.sampled_from([1, 12, 23, 24]))
    def wait(self, hours: int) -> None:
        """Let time pass."""
        self.now += timedelta(hours=hours)

    @invariant()
    def answers_never_change(self) -> None:
        """An answer within its day is given again as it was."""
        for key, answer in self.answers.items():
            if answer is not None and self.now - self.set_at[key] < KEPT_FOR:
                scope, body = self.scope_of[key], self.body_of[key]
                assert self.store.begin(key, scope=scope, body=body, now=self.now) == answer


TestIdempotency = IdempotencyMachine.TestCase


def test_a_replaced_answer_is_kept_for_a_day_from_the_replacement() -> None:
    store, scope, stored = Idempotency(Settings(body_mismatch="execute")), SCOPES[0], Answer(200, b"second")
    for body, hours in ((b"one", 0), (b"two", 23)):
        assert store.begin("k", scope=scope, body=body, now=START + timedelta(hours=hours)) is Verdict.EXECUTE
        store.finish("k", stored)

    assert store.begin("k", scope=scope, body=b"two", now=START + timedelta(hours=25)) == stored
