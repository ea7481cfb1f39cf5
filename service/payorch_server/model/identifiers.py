import re
from typing import Final, NewType

RequestId = NewType("RequestId", str)
TrackId = NewType("TrackId", str)
IdempotencyKey = NewType("IdempotencyKey", str)

MAX_TRACK_ID_CHARACTERS: Final = 64
# The comma is legal at Zuora, but joins repeated HTTP headers, so an id with one could be read as two.
_TRACK_ID: Final = re.compile(r"[!#-&(-+\--9<-~]{1,64}")
TRACK_ID_RULE: Final = "must be given once, as 1 to 64 characters from 0x21 to 0x7E without : ; \" ' and ,"


def parse_track_id(text: str) -> TrackId | None:
    """Return the text as a Track-Id, or None if it breaks TRACK_ID_RULE.

    Source: Zuora, "Create a payment session", header Zuora-Track-Id (read 2026-11-20): at most 64 US-ASCII characters
    without colon, semicolon, double quote and quote.
    """
    return TrackId(text) if _TRACK_ID.fullmatch(text) else None
