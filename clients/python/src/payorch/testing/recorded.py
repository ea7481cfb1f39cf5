"""What a double of the service remembers: its calls, and how each intent ended."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from payorch.rpcs import CREATE_PAYMENT_METHOD, CREATE_SESSION, DECRYPT_APPLE_PAY
from payorch.testing.catalogue import Failure
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as pb

OPERATIONS: Final = {
    pb.OPERATION_CREATE_SESSION: CREATE_SESSION.name,
    pb.OPERATION_DECRYPT_APPLE_PAY: DECRYPT_APPLE_PAY.name,
    pb.OPERATION_CREATE_PAYMENT_METHOD: CREATE_PAYMENT_METHOD.name,
}
"""The RPC of each operation that GetIntent asks about."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call that was received."""

    rpc: str
    """Name of the RPC, such as `CreateSession`."""
    request: Any
    """Its message."""
    track_id: str
    """The caller's own Zuora-Track-Id, or the one that was made."""
    token: str
    """The JSON Web Token; empty if there was none."""
    metadata: dict[str, str]
    """All the metadata, without binary values."""
    reason: str = ""
    """Why it failed; empty if it succeeded."""
    executed: bool = False
    """Whether it was executed, rather than refused or answered from the record."""

    @property
    def request_id(self) -> str:
        """Of its intent; empty where the RPC has none."""
        return str(getattr(self.request, "request_id", ""))


@dataclass(slots=True)
class Record:
    """What is known of an intent."""

    request: Any
    """As it came first."""
    answer: Any = None
    """None as long as it has not succeeded."""
    failure: Failure | None = None
    """How its last call failed; None after a success."""
    settled: bool = False
    track_ids: list[str] = field(default_factory=list)

    def differences(self, request: Any) -> list[str]:
        """Return the names of the fields in which a request differs from the first one."""
        return list(_differences(self.request, request))


def _differences(first: Any, second: Any) -> Iterator[str]:
    for described in first.DESCRIPTOR.fields:
        alone = [_only(described.name, request) for request in (first, second)]
        if alone[0] != alone[1]:
            yield described.name


def _only(name: str, request: Any) -> Any:
    """Return a copy of a message that has one of its fields."""
    copy = type(request)()
    copy.CopyFrom(request)
    for described in request.DESCRIPTOR.fields:
        if described.name != name:
            copy.ClearField(described.name)
    return copy


def intent_of(record: Record | None, rpc: str) -> pb.GetIntentResponse:
    """Return what GetIntent answers about a record."""
    if record is None:
        return pb.GetIntentResponse(intent_state=pb.INTENT_STATE_NOT_FOUND)
    answer = pb.GetIntentResponse(intent_state=pb.INTENT_STATE_SETTLED, track_ids=record.track_ids[-10:])
    track_id = record.track_ids[-1]
    if record.failure is None:
        succeeded = call_pb2.CallOutcome(
            outcome=call_pb2.OUTCOME_SUCCEEDED, advice=call_pb2.ADVICE_NONE, track_id=track_id
        )
        answer.call_outcome.CopyFrom(succeeded)
    else:
        answer.call_outcome.CopyFrom(record.failure.call_outcome(rpc, track_id))
    return answer
