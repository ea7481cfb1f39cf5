"""The known forms of codes and ids: of what Zuora answers, only these are shown, and everything else as MASKED.

The types that carry such facts apply them when they are made, so that spans, records, log lines and errors can hold
nothing else. What an answer means, and whether two ids are equal, is decided with what Zuora sent.
"""

import re
from typing import Final

from payorch_server.model.identifiers import parse_track_id
from payorch_server.model.sensitive_text import scrub_text

MASKED: Final = "[masked]"
_CODE: Final = re.compile(r"[0-9]{2,8}|[a-z_]{1,40}")
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_RANDOM: Final = re.compile(r"[0-9A-Fa-f]{32}(?:-[0-9a-f]{16})?|[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
# Of the Quickstart operations, and of CRUD and actions. Source: Zuora, SOAP API, "Errors".
_WORDS: Final = frozenset(
    {
        "SystemError",
        "API_DISABLED",
        "CANNOT_DELETE",
        "CREDIT_CARD_PROCESSING_FAILURE",
        "DUPLICATE_VALUE",
        "INVALID_FIELD",
        "INVALID_ID",
        "INVALID_LOGIN",
        "INVALID_SESSION",
        "INVALID_TYPE",
        "INVALID_VALUE",
        "INVALID_VERSION",
        "LOCK_COMPETITION",
        "MALFORMED_QUERY",
        "MAX_RECORDS_EXCEEDED",
        "MISSING_REQUIRED_VALUE",
        "REQUEST_EXCEEDED_LIMIT",
        "REQUEST_EXCEEDED_RATE",
        "REQUEST_REJECTED",
        "SERVER_UNAVAILABLE",
        "TEMPORARY_ERROR",
        "TRANSACTION_FAILED",
        "TRANSACTION_TERMINATED",
        "TRANSACTION_TIMEOUT",
        "UNKNOWN_ERROR",
    }
)


def is_random_id(text: str) -> bool:
    """Return whether a text is a UUID, 32 hexadecimal digits or a Track-Id of ours, and no text in hexadecimal."""
    return _RANDOM.fullmatch(text) is not None and not bytes.fromhex(text.replace("-", "")).isascii()


def shown_code(text: str) -> str:
    """Return an error code as it is shown: two to eight digits, a word in lower case, or a known word."""
    return text if text in _WORDS or _CODE.fullmatch(text) else MASKED


def shown_id(text: str) -> str:
    """Return an id as it is shown: at most 64 letters, digits and hyphens that look like no secret. Empty stays so."""
    # Nearly all ids are random, which is found out faster.
    is_shown = not text or is_random_id(text) or (_ID.fullmatch(text) and scrub_text(text) == text)
    return text if is_shown else MASKED


def is_shown_request_id(text: str) -> bool:
    """Return whether a request id is shown as it is: it looks like no secret."""
    return is_random_id(text) or scrub_text(text) == text


def shown_track_id(text: str) -> str:
    """Return a Track-Id in an answer as it is shown: of the form of Track-Ids, and like no secret. Empty stays so."""
    is_shown = not text or is_random_id(text) or (parse_track_id(text) and scrub_text(text) == text)
    return text if is_shown else MASKED
