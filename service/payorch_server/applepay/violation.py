"""The rules that an Apple Pay token can break, and the error that names them."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class TokenRule(enum.StrEnum):
    """What a token can break; the values are stable and may be shown to callers."""

    TOO_LONG = "too_long"
    NOT_UTF8 = "not_utf8"
    INVALID_JSON = "invalid_json"
    DUPLICATE_MEMBER = "duplicate_member"
    WRONG_TYPE = "wrong_type"
    WRONG_LEVEL = "wrong_level"
    AMBIGUOUS_LEVEL = "ambiguous_level"
    REQUIRED = "required"
    UNSUPPORTED_VERSION = "unsupported_version"
    RSA_UNSUPPORTED = "rsa_unsupported"
    BASE64 = "base64"
    HEX = "hex"
    LENGTH = "length"
    NOT_CMS = "not_cms"
    NOT_P256 = "not_p256"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True)
class TokenViolation:
    """One thing that is wrong with a token.

    Attributes:
        path: Members joined with dots, below the token; empty for the token as a whole. Never text from the token.
        rule: The stable name of what is broken.
        description: One sentence for people, which never holds a value from the token.
    """

    path: str
    rule: TokenRule
    description: str


class InvalidTokenError(Exception):
    """A token breaks at least one rule; nothing was sent.

    Attributes:
        violations: All of them, in the order of the members.
    """

    def __init__(self, violations: Sequence[TokenViolation]) -> None:
        super().__init__("; ".join(f"{found.path or 'token'}: {found.rule}" for found in violations))
        self.violations = tuple(violations)
