"""Checks of an Apple Pay token before it is forwarded; Zuora decrypts, this package never does."""

from payorch_server.applepay.token import MAX_TOKEN_BYTES, AppleToken, parse_token
from payorch_server.applepay.violation import InvalidTokenError, TokenRule, TokenViolation

__all__ = [
    "MAX_TOKEN_BYTES",
    "AppleToken",
    "InvalidTokenError",
    "TokenRule",
    "TokenViolation",
    "parse_token",
]
