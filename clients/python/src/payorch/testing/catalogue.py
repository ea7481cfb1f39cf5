"""Errors as the service makes them, by reason. The catalogue is generated from the service's own tables."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

import grpc
from google.rpc import error_details_pb2, status_pb2

from payorch.v1 import call_pb2

_DOMAIN: Final = "payorch"
_EXAMPLE: Final = "example"
_VIOLATION: Final = {"request_id": "must be 16 to 128 characters from 0x21 to 0x7E"}


@cache
def catalogue() -> Mapping[str, Mapping[str, Any]]:
    """Return what is known of each reason, by its name."""
    text = files("payorch.testing").joinpath("reasons.json").read_text(encoding="utf-8")
    entries: dict[str, Mapping[str, Any]] = json.loads(text)
    return entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error of the service."""

    reason: str
    violations: Mapping[str, str] = field(default_factory=dict)
    """Descriptions by field; where the reason names fields and there is none, an example."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Of the ErrorInfo, over examples of what the reason has."""
    retry_after_s: float | None = None
    """None: what the service says for the reason, if anything."""
    zuora_codes: Sequence[str] = ()
    existing: call_pb2.ExistingIds | None = None
    executed: bool = False
    """Whether the request is executed all the same, so that only the answer is lost."""

    def __post_init__(self) -> None:
        """Refuse what the service never answers.

        Raises:
            ValueError: There is no such reason, or it does not leave open whether the request was executed.
        """
        if self.reason not in catalogue():
            near = difflib.get_close_matches(self.reason.upper(), catalogue(), n=3, cutoff=0.4)
            meant = f"; did you mean {', '.join(near)}?" if near else ""
            raise ValueError(f"reason: {self.reason!r} is none{meant}")
        if self.executed and self.outcome != call_pb2.OUTCOME_UNKNOWN:
            raise ValueError(f"executed: {self.reason} says that the request was not executed")

    @property
    def code(self) -> grpc.StatusCode:
        """The status code."""
        return grpc.StatusCode[self._entry["code"]]

    @property
    def outcome(self) -> call_pb2.Outcome.ValueType:
        """What happened at Zuora."""
        return call_pb2.Outcome.Value(f"OUTCOME_{self._entry['outcome']}")

    def advice(self, rpc: str) -> call_pb2.Advice.ValueType:
        """Return what the caller of an RPC should do next."""
        return call_pb2.Advice.Value(f"ADVICE_{self._entry.get('adviceByRpc', {}).get(rpc, self._entry['advice'])}")

    def settles(self, rpc: str) -> bool:
        """Return whether a resend gets the same answer again."""
        resend = self.advice(rpc) == call_pb2.ADVICE_RESEND_SAME_REQUEST_ID
        return self.outcome != call_pb2.OUTCOME_NOT_SENT and not resend

    def call_outcome(self, rpc: str, track_id: str) -> call_pb2.CallOutcome:
        """Return the outcome of a call."""
        outcome = call_pb2.CallOutcome(
            outcome=self.outcome, advice=self.advice(rpc), zuora_codes=self.zuora_codes, track_id=track_id
        )
        if self.existing is not None:
            outcome.existing.CopyFrom(self.existing)
        return outcome

    def status(self, rpc: str, track_id: str) -> status_pb2.Status:
        """Return the status with its details."""
        status = status_pb2.Status(code=self.code.value[0], message=self._entry["message"])
        examples = dict.fromkeys(self._entry.get("metadata", ()), _EXAMPLE)
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain=_DOMAIN, metadata={**examples, **self.metadata})
        details = [info, self.call_outcome(rpc, track_id), *self._further_details()]
        for detail in details:
            status.details.add().Pack(detail)
        return status

    def _further_details(self) -> list[Any]:
        details = []
        retry_after_s = self._entry.get("retryDelaySeconds") if self.retry_after_s is None else self.retry_after_s
        if retry_after_s is not None:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromNanoseconds(int(retry_after_s * 1e9))
            details.append(retry)
        if violations := self.violations or (_VIOLATION if self._entry.get("namesFields") else {}):
            bad = error_details_pb2.BadRequest()
            for name, description in violations.items():
                bad.field_violations.add(field=name, reason=_EXAMPLE, description=description)
            details.append(bad)
        return details

    @property
    def _entry(self) -> Mapping[str, Any]:
        return catalogue()[self.reason]
