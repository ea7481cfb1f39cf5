import enum


class RefusalReason(enum.StrEnum):
    """Why a token was not opened; the values are stable, tests and the emulator's answers are built on them."""

    MALFORMED = "malformed"
    UNSUPPORTED_VERSION = "unsupported_version"
    UNKNOWN_KEY = "unknown_key"
    WRONG_MERCHANT = "wrong_merchant"
    MALFORMED_SIGNATURE = "malformed_signature"
    MISSING_EXTENSION = "missing_extension"
    UNTRUSTED_CHAIN = "untrusted_chain"
    CERTIFICATE_EXPIRED = "certificate_expired"
    BAD_DIGEST = "bad_digest"
    BAD_SIGNATURE = "bad_signature"
    STALE = "stale"
    FROM_THE_FUTURE = "from_the_future"
    BAD_EPHEMERAL_KEY = "bad_ephemeral_key"
    DECRYPTION_FAILED = "decryption_failed"
    UNSUPPORTED_PAYMENT_DATA = "unsupported_payment_data"
    BAD_CLEAR_TEXT = "bad_clear_text"


class TokenRefused(Exception):  # noqa: N818 - the token is refused; nothing went wrong
    """A token was not opened.

    Attributes:
        reason: The stable reason.
        message: One sentence for people, which never holds a value from the token.
    """

    def __init__(self, reason: RefusalReason, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
