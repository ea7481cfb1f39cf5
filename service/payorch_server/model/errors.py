"""The errors of calls.

An error has a reason, from which `model/outcome.py` alone decides what happened, and all that is known.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from payorch_server.model.attempt import UpstreamFacts
from payorch_server.model.outcome import Reason, Verdict, verdict_of
from payorch_server.model.shown_forms import shown_code, shown_id

_MAX_DETAIL_CHARACTERS: Final = 400
_KEY: Final = re.compile(r'\[".*"\]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule of a request."""

    field: str
    """Path of the field, such as `one_time_payment.amount.currency_code`."""
    rule: str
    """Stable name of the rule, such as `string.max_len`."""
    description: str
    """What must hold. Never the value."""

    def __repr__(self) -> str:
        return f"Violation({self.path_without_keys!r}, {self.rule!r}, {self.description!r})"

    @property
    def path_without_keys(self) -> str:
        """The field without keys of maps, which are the caller's text: they go back to the caller, and nowhere else."""
        return _KEY.sub("[key]", self.field)


@dataclass(frozen=True, slots=True)
class UpstreamEvidence:
    """The ids and codes in Zuora's answer. Its own texts stay in details."""

    zuora_codes: tuple[str, ...] = ()
    payment_method_id: str = ""
    payment_id: str = ""
    retry_after_s: float | None = None

    def __post_init__(self) -> None:
        """Keep no code and no id but in a known form."""
        object.__setattr__(self, "zuora_codes", tuple(map(shown_code, self.zuora_codes)))
        object.__setattr__(self, "payment_method_id", shown_id(self.payment_method_id))
        object.__setattr__(self, "payment_id", shown_id(self.payment_id))


@dataclass(frozen=True, slots=True)
class Failure:
    """Everything known about why a call failed."""

    reason: Reason
    detail: str
    """For operators; never sent to the caller."""
    violations: tuple[Violation, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    """For ErrorInfo.metadata; lowerCamel keys, units in the key."""
    evidence: UpstreamEvidence = field(default_factory=UpstreamEvidence)
    facts: UpstreamFacts = field(default_factory=UpstreamFacts)
    is_broken: bool = False
    """Whether the body of Zuora's answer could not be read in full."""
    cut_off: bool = False
    """Whether it broke off, so that another attempt may receive it whole."""
    rpc: str = ""
    """Name of the RPC whose intent failed; empty where no intent is concerned."""
    resend_before: datetime | None = None
    """Until when a resend of the same request id is safe, UTC; None where nothing was sent."""


class CallError(Exception):
    """A call that failed for a known reason."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.reason.name}: {failure.detail}")
        self.failure = failure

    @property
    def verdict(self) -> Verdict:
        """What the failure means for the caller."""
        return verdict_of(self.failure.reason, rpc=self.failure.rpc)


class InvalidRequestError(CallError):
    """The request breaks rules; nothing was sent."""


def error_for(failed: Failure) -> CallError:
    """Return the error for a failure; one with violations is an InvalidRequestError."""
    return InvalidRequestError(failed) if failed.violations else CallError(failed)


def call_error(reason: Reason, detail: str, **metadata: str) -> CallError:
    """Return an error that carries no evidence from Zuora."""
    return error_for(Failure(reason, detail, metadata=metadata))


def invalid(*violations: Violation) -> CallError:
    """Return the error for a request that breaks rules."""
    detail = "; ".join(f"{violation.path_without_keys}: {violation.description}" for violation in violations)
    return InvalidRequestError(Failure(Reason.REQUEST_INVALID, detail[:_MAX_DETAIL_CHARACTERS], violations=violations))
