"""Envoy's header x-forwarded-client-cert: what a proxy says of the certificate that it was shown.

`By=spiffe://...;Hash=...;Subject="CN=a,O=b";URI=spiffe://...;DNS=a;DNS=b`, elements divided by commas, one for each
proxy on the way. Source: Envoy, "HTTP connection manager: HTTP header manipulation", x-forwarded-client-cert.
"""

import re
from typing import Final

from payorch_server.rpc.certificate_names import identities_in

_PAIR: Final = re.compile(r'(?P<key>[A-Za-z]+)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^",;]*))')


class HeaderBroken(Exception):  # noqa: N818 - it is the header that is broken
    """A header that names no caller; its text is the rule that it breaks."""


def parse_header(text: str) -> tuple[str, ...]:
    """Return the identities in a header: URIs as they are, then `dns:` and each name.

    Raises:
        HeaderBroken: It cannot be read, names nobody, or has several elements: who of them calls is a guess.
    """
    uris: list[str] = []
    names: list[str] = []
    place = 0
    while place < len(text):
        pair = _PAIR.match(text, place)
        if pair is None:
            raise HeaderBroken("pairs of key and value, divided by ;")
        value = pair["plain"] if pair["quoted"] is None else re.sub(r"\\(.)", r"\1", pair["quoted"])
        if pair["key"].lower() == "uri":
            uris.append(value)
        elif pair["key"].lower() == "dns":
            names.append(value)
        place = pair.end()
        if text[place : place + 1] == ",":
            raise HeaderBroken("one element")
        if place < len(text) and text[place] != ";":
            raise HeaderBroken("pairs of key and value, divided by ;")
        place += 1
    if not (identities := identities_in(uris, names)):
        raise HeaderBroken("a URI or DNS")
    return identities
