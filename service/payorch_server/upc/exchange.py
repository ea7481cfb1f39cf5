"""What is reported of one HTTP request to the hub."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from payorch_server.upc.answers import HubAnswer
from payorch_server.upc.hub_parts import HubCallNotes
from payorch_server.upc.request import HubRequest, Operation, UnusableRequest


class Caller(StrEnum):
    """Who sent a request."""

    KNOWN = "known"
    """With the credentials of the hub."""
    REFUSED = "refused"
    """With wrong credentials, from an address that may call."""
    NOT_ALLOWED = "not_allowed"
    """From an address that may not call; nothing of it was read."""


@dataclass(frozen=True, slots=True)
class HubExchange:
    """One request to the hub and its answer."""

    hub: str
    """Name of the hub; empty where the path names none that exists."""
    caller: Caller
    request: HubRequest | UnusableRequest | None
    """None where the body was not read."""
    answer: HubAnswer
    duration_s: float
    """From the first byte of the request to the answer."""
    notes: HubCallNotes

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.answer.status


ReportExchange: TypeAlias = Callable[[HubExchange], None]


class ExchangeObserver(Protocol):
    """Receives what happened to each request."""

    def observe(self, hub: str) -> AbstractContextManager[ReportExchange]:
        """Return a context that is open while one request is answered, and what to report it with before it closes.

        Args:
            hub: Name of the hub; empty where the path names none that exists.
        """
        ...


def names_of(request: HubRequest | UnusableRequest | None) -> tuple[str, str, str]:
    """Return operation, tenant id and id of a request, as far as they are known for certain."""
    match request:
        case HubRequest():
            return request.operation, request.tenant_id, request.subject.id
        case UnusableRequest(names=(name,)):
            return name.operation, name.tenant_id, name.id
        case UnusableRequest(is_validation=True):
            return Operation.VALIDATE, "", ""
        case _:
            return "", "", ""
