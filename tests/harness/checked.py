"""Requests as if they had been checked, whether or not they keep the rules."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from google.protobuf.message import Message
from payorch_server.rpc.request_fingerprint import HashedRequest
from payorch_server.rpc.request_walk import Leaf, walk_of
from payorch_server.rpc.validation import CheckedRequest
from payorch_server.store.keyring import Keyring

M = TypeVar("M", bound=Message)


def checked(request: M) -> CheckedRequest[M]:
    """Return a request with its leaves."""
    leaves: list[Leaf] = []
    walk_of(request.DESCRIPTOR)(request, leaves)
    return CheckedRequest(request, leaves)


def hashed(
    request: Message, keyring: Keyring, *, in_place_of: Mapping[str, bytes] = MappingProxyType({})
) -> HashedRequest:
    """Return what makes the fingerprints of a request."""
    return HashedRequest(request.DESCRIPTOR, checked(request).leaves, keyring, in_place_of=in_place_of)
