"""Validates requests beyond their type."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import structlog
from google.protobuf.message import Message

from payorch_server.model.errors import Violation, invalid
from payorch_server.rpc.message_tree import path_beyond
from payorch_server.rpc.request_walk import Leaf, walk_of

_LOG: Final = structlog.get_logger("payorch.rpc")
# Each violation costs some 20 us of the event loop, so what is looked at is bounded. No request that keeps the rules
# has more elements in its lists and maps, and a smaller one cannot have many.
_MAX_ELEMENTS: Final = 1500
_SMALL_BYTES: Final = 8192
M = TypeVar("M", bound=Message)
Check = Callable[[Any], Iterable[Violation]]


def _no_violations(_request: Message) -> Iterable[Violation]:
    return ()


@dataclass(frozen=True, slots=True)
class CheckedRequest(Generic[M]):
    """A request that keeps the rules in the protos; nothing else is decoded."""

    message: M = field(repr=False)
    leaves: Sequence[Leaf] = field(repr=False)
    """What distinguishes it from other requests."""


def _load_wording() -> Check:
    from payorch_server.rpc.violations import violations_of  # noqa: PLC0415 - no good request needs protovalidate

    return violations_of


def _passes(request: Message, leaves: list[Leaf]) -> bool:
    """Return whether a request passes the compiled checks, and collect its leaves."""
    if request.ByteSize() > _SMALL_BYTES and (path := path_beyond(request, _MAX_ELEMENTS)):
        raise invalid(Violation(path, "elements.max", f"must not have more than {_MAX_ELEMENTS} elements"))
    return walk_of(request.DESCRIPTOR)(request, leaves)


class Validator:
    """Checks requests against the rules in the protos and those that no proto can express."""

    def __init__(self, further: Mapping[str, Check] | None = None) -> None:
        """Make a validator.

        Args:
            further: Checks of decoding, by full name of the request type.
        """
        self._further = further or {}
        self._violations_of: Check | None = None

    def compile(self, request_types: Iterable[type[Message]]) -> None:
        """Compile the rules of these types, which would otherwise delay the first call of each.

        Raises:
            RuleNotCompiledError: A rule in a proto has no compiled form.
        """
        for request_type in request_types:
            walk_of(request_type.DESCRIPTOR)

    def check(self, request: M) -> CheckedRequest[M]:
        """Return a request that keeps the rules.

        Raises:
            InvalidRequestError: With every violation; with one alone where the request has far too many elements, and
                with the first of very many unknown fields.
        """
        leaves: list[Leaf] = []
        if not _passes(request, leaves):
            self._refuse(request)
        return CheckedRequest(request, leaves)

    async def check_on_loop(self, request: M) -> CheckedRequest[M]:
        """Do the same without holding up the event loop: what words violations takes a while to import, once."""
        leaves: list[Leaf] = []
        if not _passes(request, leaves):
            self._violations_of = self._violations_of or await asyncio.to_thread(_load_wording)
            self._refuse(request)
        return CheckedRequest(request, leaves)

    def _refuse(self, request: Message) -> None:
        self._violations_of = self._violations_of or _load_wording()
        violations = {*self._violations_of(request)}
        # The rules were checked in full, only not by the pass: the request is good, and the pass has a defect.
        if not violations:
            _LOG.error("checks_disagree", type=request.DESCRIPTOR.full_name)
            return
        # A request without violations so far is checked by decoding; here the checks complete the list.
        violations |= {*self._further.get(request.DESCRIPTOR.full_name, _no_violations)(request)}
        raise invalid(
            *sorted(violations, key=lambda violation: (violation.field, violation.rule, violation.description))
        )
