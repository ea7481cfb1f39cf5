"""An HTTP proxy between this service and the servers that it calls."""

import base64
from dataclasses import dataclass

from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - the password is encoded and sent here


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that makes tunnels."""

    url: str
    authorization: Secret[str]
    """Value of the field Proxy-Authorization; empty: none."""

    @property
    def headers(self) -> dict[str, str]:
        """The fields that the proxy alone receives."""
        value = reveal(self.authorization)
        return {"proxy-authorization": value} if value else {}


def proxy_of(url: str, username: str, password: Secret[str] | None) -> Proxy | None:
    """Return the proxy of some settings, or None if they name none.

    Args:
        url: Such as http://proxy.internal:3128; empty: there is none.
        username: For HTTP's Basic authentication.
        password: The same; None: there is no authentication.
    """
    if not url:
        return None
    credentials = f"{username}:{reveal(password)}" if password else ""
    encoded = base64.b64encode(credentials.encode()).decode()
    return Proxy(url, Secret(f"Basic {encoded}" if encoded else ""))


def is_username(text: str) -> bool:
    """Return whether HTTP's Basic authentication can carry a user name: a colon would end it (RFC 7617, 2)."""
    return ":" not in text and text.isprintable()
