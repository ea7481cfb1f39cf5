"""Which identities the names in a caller's certificate are."""

from collections.abc import Iterable
from typing import Final

# What begins so is vouched for by somebody else, or is written by us.
_RESERVED: Final = ("dns:", "jwt:", "mesh:")


def identities_in(uris: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """Return URIs as they are, then `dns:` and each name.

    A URI that reads like an identity of another kind counts for nothing: an authority that issues certificates does not
    vouch for tokens, and whoever may have any URI in a certificate may not have any name.
    """
    own = [uri for uri in uris if ":" in uri and not uri.lower().startswith(_RESERVED)]
    return (*own, *(f"dns:{name}" for name in names if name))
