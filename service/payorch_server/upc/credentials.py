"""Who may call the hub: HTTP basic credentials, compared so that the time taken says nothing about them."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - its hash is compared with what comes in

_MOST_GENERATIONS: Final = 2
_SCHEME: Final = "basic"


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of a hub's credentials, as hashes: nothing of them can be shown by accident."""

    user_hash: bytes = field(repr=False)
    password_hash: bytes = field(repr=False)


_NONE: Final = Generation(bytes(32), bytes(32))
"""No text has these hashes."""


def generation_of(user: str, password: Secret[str]) -> Generation:
    """Return one generation of credentials; both parts are compared in UTF-8."""
    return Generation(_hash(user.encode()), _hash(reveal(password).encode()))


class HubCredentials:
    """The credentials of all hubs; replaced whole when they change."""

    def __init__(self, generations: Mapping[str, Sequence[Generation]]) -> None:
        """Keep credentials.

        Args:
            generations: By name of the hub.
        """
        self._generations = dict(generations)

    def accepts(self, hub: str, authorization: Sequence[str]) -> bool:
        """Return whether a request may use a hub.

        An unknown hub takes as long as wrong credentials, and a wrong user as long as a wrong password.

        Args:
            hub: The name in the request's path.
            authorization: The values of all Authorization lines; more than one are as wrong as none.
        """
        presented = _presented(authorization)
        user, password = presented or (b"", b"")
        user_hash, password_hash = _hash(user), _hash(password)
        known = tuple(self._generations.get(hub, ()))
        is_accepted = False
        for generation in known + (_NONE,) * (_MOST_GENERATIONS - len(known)):
            is_user = hmac.compare_digest(generation.user_hash, user_hash)
            is_password = hmac.compare_digest(generation.password_hash, password_hash)
            is_accepted |= is_user & is_password
        return is_accepted and presented is not None


def _presented(authorization: Sequence[str]) -> tuple[bytes, bytes] | None:
    """Return user and password, or None where the request presents none in the form of RFC 7617."""
    if len(authorization) != 1:
        return None
    scheme, _, encoded = authorization[0].partition(" ")
    if scheme.lower() != _SCHEME:
        return None
    try:
        decoded = base64.b64decode(encoded.strip(" "), validate=True)
    except ValueError:
        return None
    user, colon, password = decoded.partition(b":")
    return (user, password) if colon else None


def _hash(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
