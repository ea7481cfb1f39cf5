"""What a use case does at Zuora: building the call and parsing the reply are pure."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.errors import UpstreamEvidence
from payorch_server.model.route import Route
from payorch_server.zuora.messages import Call
from payorch_server.zuora.settings import TenantSettings

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZuoraOperation(ABC, Generic[T]):
    """One operation of Zuora's with its request; a subclass stands beside each use case."""

    result_type: ClassVar[Any]
    """Of what parse returns."""
    moves_money: bool
    raw_card_data: bool = False
    """Whether it carries a card number."""
    guarded_token: str = ""
    """Names the one-time token in it; empty if there is none."""
    needs_record: bool = True
    """Whether it is refused while the store cannot be reached: unrecorded, a resend could take another route."""
    is_disposable: bool = False
    """Whether an unused result costs nothing, so that a transient refusal may be followed by a new key at once."""
    stale_after_s: float | None = None
    """Age from which a recorded result is of no use."""

    @abstractmethod
    def build(self, route: Route, tenant: TenantSettings) -> Call:
        """Return the call for a route.

        Raises:
            CallError: The route cannot take it; NOT_SENT.
        """

    @abstractmethod
    def parse(self, reply: ZuoraReply) -> T:
        """Return the result in a successful reply.

        Raises:
            CallError: The reply lacks what it promises; UNKNOWN.
        """

    @abstractmethod
    def ids_of(self, value: T) -> UpstreamEvidence:
        """Return the ids of what exists because of a result."""
