"""What a send that brought no status means: the one place that says what was not sent, whichever client sent it."""

from typing import Final
from urllib.parse import urlsplit

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError

from payorch_server.model.errors import CallError, call_error
from payorch_server.model.outcome import Reason


class ConnectionUnusableError(aiohttp.ClientConnectionError):
    """A server sent something before it was asked."""


class ProxyError(aiohttp.ClientConnectionError):
    """A proxy made no tunnel."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer)
        self.answer = answer


class MisdirectedAnswerError(aiohttp.ClientConnectionError):
    """A server answered an earlier request once more."""


SEND_ERRORS: Final = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, aiohttp.ClientError, OSError)
"""What either client raises for a send or an answer that fails."""
# These are raised before a byte of the request is written; everything else may have been executed.
_NOT_CONNECTED: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    ConnectionUnusableError,
    ProxyError,
)
_BAD_CERTIFICATE: Final = (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)
# The address is none; httpx's own transports, such as an emulator in this process, have classes of their own for it.
_NOT_AN_ADDRESS: Final = (
    aiohttp.InvalidUrlClientError,
    aiohttp.NonHttpUrlClientError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
# How aiohttp's parser begins its text about what is not HTTP at all.
_NO_STATUS_LINE: Final = "Bad status line"
# httpx-aiohttp turns a connection that broke after the request was sent into httpx.ConnectTimeout, so its classes prove
# nothing; aiohttp wraps what its parser raises. In both the cause is what happened.
_WRAPPERS: Final = (httpx.HTTPError, aiohttp.ClientResponseError)


def send_error(error: Exception, *, url: str, timeout_s: float) -> CallError:
    """Return what one of SEND_ERRORS means that came before any status.

    Args:
        error: What was raised.
        url: Where the request was to go.
        timeout_s: The time that the send had.
    """
    cause = (error.__cause__ if isinstance(error, _WRAPPERS) else None) or error
    origin = "://".join(urlsplit(url)[:2])
    if isinstance(cause, _BAD_CERTIFICATE):
        return call_error(Reason.UPSTREAM_TLS_FAILED, f"the certificate of {origin} was refused: {_brief(cause)}")
    if isinstance(cause, ProxyError):
        return call_error(Reason.UPSTREAM_UNREACHABLE, f"the proxy makes no tunnel to {origin}: {cause.answer}")
    if isinstance(cause, _NOT_CONNECTED):
        return call_error(Reason.UPSTREAM_UNREACHABLE, f"no connection to {origin}: {_brief(cause)}")
    if isinstance(error, _NOT_AN_ADDRESS):
        return call_error(Reason.UPSTREAM_UNREACHABLE, f"{origin} cannot be called: {type(error).__name__}")
    if _is_unreadable_head(cause):
        return call_error(Reason.UPSTREAM_ANSWER_UNREADABLE, f"the head of an answer of {origin} breaks HTTP's rules")
    if is_out_of_time(error):
        return call_error(Reason.UPSTREAM_NO_ANSWER, f"no answer within {timeout_s:.1f} s")
    return call_error(Reason.UPSTREAM_NO_ANSWER, f"the connection to {origin} failed: {_brief(cause)}")


def is_out_of_time(error: Exception) -> bool:
    """Return whether an error is that the time of the send is up; the clients' own limits for connecting are not."""
    return isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError)


def _is_unreadable_head(error: BaseException) -> bool:
    """Return whether an answer arrived whose header fields no attempt can read; without a status line it is none."""
    if isinstance(error, UnicodeError):
        return True
    # aiohttp's parser names what it met in the text alone.
    text = error.message if isinstance(error, HttpProcessingError) else ""
    return bool(text) and not text.startswith(_NO_STATUS_LINE)


def _brief(error: BaseException) -> str:
    """Return the kind of an error without its text: a parser's quotes the bytes it could not read, perhaps a token."""
    text = error.strerror if isinstance(error, OSError) and error.errno else ""
    return f"{type(error).__name__} {text or ''}".strip()
