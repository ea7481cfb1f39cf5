"""Asks a running hub whether it answers, as something in front of it would."""

import http.client
import ssl
from typing import Final

from payorch_server.model import CommandError
from payorch_server.runtime.interpreter_defaults import read_json
from payorch_server.runtime.listen_address import split_address

_TIMEOUT_S: Final = 10.0
_PATH: Final = "/upc/health"
_MAX_BODY_BYTES: Final = 4096


class HubUnreachableError(CommandError):
    """Nothing answers there, or something that is no hub."""


def ask_hub(*, address: str, plaintext: bool) -> str:
    """Send one request that moves no money, and return what the hub says.

    The certificate is not verified: it is for the name under which Zuora calls, not for the address given here. No
    credentials are sent.

    Args:
        address: Host and port.
        plaintext: Whether a proxy in front of the hub ends TLS.

    Raises:
        HubUnreachableError: There is no answer, or it is not a hub's.
    """
    parts = split_address(address)
    if parts is None:
        raise HubUnreachableError(f"{address}: must be host:port, such as 127.0.0.1:8443.")
    host, port = parts
    connection = _connection(host, port, plaintext=plaintext)
    try:
        connection.request("GET", _PATH)
        answer = connection.getresponse()
        status, body = answer.status, answer.read(_MAX_BODY_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise HubUnreachableError(f"{address}: {error!s:.200}") from error
    finally:
        connection.close()
    return f"{status}: {_message(address, body)}"


def _connection(host: str, port: int, *, plaintext: bool) -> http.client.HTTPConnection:
    if plaintext:
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)


def _message(address: str, body: bytes) -> str:
    """Return the message that every answer of a hub has."""
    try:
        content = read_json(body)
    except ValueError:
        content = None
    if isinstance(content, dict) and isinstance(message := content.get("gatewayResponseMessage"), str):
        return message
    raise HubUnreachableError(f"{address}: something answers that is no hub.")
