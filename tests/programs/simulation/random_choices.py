"""What callers do not know about Zuora and its network, drawn again for each run."""

import dataclasses
import random
from dataclasses import dataclass

from zuora_emulator.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomChoices:
    """The choices of one run."""

    early_stored: bool
    """Whether 401, 429 and the edge's errors are kept under the idempotency key."""
    transient_stored: bool
    """Whether lock contention (50) and temporary faults (61) are."""
    replay_headers: str
    body_mismatch: str
    key_refusal_body: str
    unauthorized_body: str
    code_type: str
    quickstart_errors: str
    errors_as_status: bool
    """Whether refusals have an HTTP error status, or 200 with success: false."""
    zuora_version: str
    storm: float
    """Factor on all probabilities of faults on the wire."""
    store_trouble: bool
    """Whether the store fails at all."""
    skew_s: float
    """How far the time of day of two instances may differ."""
    clocks: str
    """Whether instances' clocks are wrong by up to hours at times."""
    dates: str
    """Whether every answer has a Date, or only some."""
    allow_unrecorded: bool
    """Whether payment methods are created while the store is away."""
    knows_declines: bool
    """Whether the tenants' settings name how their gateways decline."""
    max_in_flight: int
    """Of a tenant in one instance; where it is small, calls wait for their turn."""

    def emulator_settings(self) -> Settings:
        """Return the emulator's switches; what it limits would only repeat the scripted faults."""
        return Settings(
            store_unprocessed=self.early_stored,
            replay_headers=self.replay_headers,
            body_mismatch=self.body_mismatch,
            key_refusal_body=self.key_refusal_body,
            unauthorized_body=self.unauthorized_body,
            code_type=self.code_type,
            quickstart_errors=self.quickstart_errors,
            sessions_failures="status" if self.errors_as_status else "success_false",
            rate_limit_per_minute=None,
            token_limit_per_minute=None,
            concurrency_limit=None,
            most_methods_per_account=None,
        )

    def named(self) -> list[str]:
        """Return each choice with its value, for counting."""
        return [f"{field.name}={getattr(self, field.name)}" for field in dataclasses.fields(self)]


def drawn_choices(rng: random.Random) -> RandomChoices:
    """Toss all choices."""
    return RandomChoices(
        early_stored=rng.random() < 0.5,
        transient_stored=rng.random() < 0.5,
        replay_headers=rng.choice(("stored", "fresh")),
        body_mismatch=rng.choice(("replay", "refuse", "execute", "execute")),
        key_refusal_body=rng.choice(("message", "reasons", "empty")),
        unauthorized_body=rng.choice(("message", "user_info", "reasons")),
        code_type=rng.choice(("documented", "number", "text")),
        quickstart_errors=rng.choice(("nested", "flat")),
        errors_as_status=rng.random() < 0.6,
        zuora_version=rng.choice(("2025-08-12", "2025-08-12", "186.0")),
        storm=rng.choice((0.3, 1.0, 1.0, 2.0)),
        store_trouble=rng.random() < 0.5,
        skew_s=rng.choice((0.0, 0.0, 2.0)),
        clocks=rng.choice(("right", "wrong")),
        dates=rng.choice(("always", "always", "sometimes")),
        allow_unrecorded=rng.random() < 0.5,
        knows_declines=rng.random() < 0.5,
        max_in_flight=rng.choice((3, 40, 40)),
    )
