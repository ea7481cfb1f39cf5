"""Ids: Track-Ids, idempotency keys, and the ids of Zuora in their one form."""

import hashlib
import re
from datetime import timedelta
from functools import lru_cache
from typing import Final, NewType

RequestId = NewType("RequestId", str)
TrackId = NewType("TrackId", str)
IdempotencyKey = NewType("IdempotencyKey", str)

RESEND_LIMIT: Final = timedelta(hours=23)
"""For how long after its first send an intent may be sent again: Zuora forgets a key 24 hours after its first use."""
REPETITION_LIMIT: Final = timedelta(hours=22)
"""For how long after its first send a repeated answer is believed to be the stored one, by Zuora's clock."""

_MAX_ENTITIES: Final = 1024
_MAX_TRACK_ID_CHARACTERS: Final = 64
# The comma is legal at Zuora, but joins repeated HTTP headers, so an id with one could be read as two.
_TRACK_ID: Final = re.compile(rf"[!#-&(-+\--9<-~]{{1,{_MAX_TRACK_ID_CHARACTERS}}}")
TRACK_ID_RULE: Final = (
    f"must be given once, as 1 to {_MAX_TRACK_ID_CHARACTERS} characters from 0x21 to 0x7E without : ; \" ' and ,"
)


def parse_track_id(text: str) -> TrackId | None:
    """Return the text as a Track-Id, or None if it breaks TRACK_ID_RULE.

    Source: Zuora, "Create a payment session", header Zuora-Track-Id (read 2026-11-20): at most 64 US-ASCII characters
    without colon, semicolon, double quote and quote.
    """
    return TrackId(text) if _TRACK_ID.fullmatch(text) else None


_REQUEST_ID: Final = re.compile(r"[!-~]{16,128}")


def parse_request_id(text: str) -> RequestId | None:
    """Return the text as a request id, or None if it breaks the rule of the protos."""
    return RequestId(text) if _REQUEST_ID.fullmatch(text) else None


_MINTED: Final = re.compile(r"(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})")
_TRACE_LABEL: Final = b"payorch/track/1\0"


def minted_track_id(trace_id: int, span_id: int) -> TrackId:
    """Return the Track-Id of a call whose caller gave none: 49 characters that name its trace and server span."""
    return TrackId(f"{trace_id:032x}-{span_id:016x}")


def trace_id_of(track_id: TrackId) -> str:
    """Return the trace that a Track-Id leads to, as 32 hexadecimal digits.

    A minted id begins with the trace of its call. Any other leads to a trace that holds one span, with a link to the
    call, for every call that was made with this id.
    """
    return f"{span_ids_of(track_id)[0]:032x}"


def span_ids_of(track_id: TrackId) -> tuple[int, int]:
    """Return the trace id and the span id that a Track-Id leads to: those in it, or those made of its hash."""
    minted = _MINTED.fullmatch(track_id)
    if minted:
        return int(minted[1], 16), int(minted[2], 16)
    digest = hashlib.sha256(_TRACE_LABEL + track_id.encode()).digest()
    return int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])


_UUID_OR_HEX: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_zuora_id(text: str) -> bool:
    """Return whether the text is 32 hexadecimal digits, or the same as a UUID."""
    return _UUID_OR_HEX.fullmatch(text) is not None


def org_id_on_wire(text: str) -> str:
    """Return the one form in which an org id is sent: 32 lower-case digits, as Zuora prints the ids of its objects.

    What is neither that nor a UUID stays as it is: no document of Zuora's describes the form of an org id.
    """
    return text.replace("-", "").lower() if is_zuora_id(text) else text


# A call asks several times for the same few ids.
@lru_cache(maxsize=_MAX_ENTITIES)
def entity_id_on_wire(text: str) -> str:
    """Return the one form in which an entity id is sent: a lower-case UUID of 36 characters.

    Billing operations are shown with both forms, and the token endpoint demands this one.
    Source: Zuora, "Create an OAuth token", header Zuora-Entity-Ids (read 2026-11-20).
    """
    if not is_zuora_id(text):
        return text
    plain = text.replace("-", "").lower()
    return "-".join((plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:]))
