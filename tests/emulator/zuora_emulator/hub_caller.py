"""How the emulator, as Zuora, calls a payment hub; injected, so that tests and simulations own the network."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Protocol

import httpx

CONNECT_TIMEOUT_S = 30.0
"""Documented: how long Zuora waits for a connection."""
ANSWER_TIMEOUT_S = 60.0
"""Documented: how long Zuora waits for the answer."""


class NoHubAnswerError(Exception):
    """The hub did not answer; the message says why. Zuora does not know what the hub did."""


class HubCaller(Protocol):
    """Sends one request to a hub."""

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> tuple[int, bytes]:
        """Return status and body; any exception means that no answer came."""
        ...


class HttpHubCaller:
    """Calls hubs over sockets, one connection for each call.

    Args:
        ca_file: PEM file of the authorities that hubs' certificates come from; by default those of the system.

    Raises:
        OSError: The file cannot be read, or has no certificate.
    """

    def __init__(self, ca_file: str | None = None) -> None:
        # Those of the system take a while to read, and most emulators call no hub.
        self._tls = None if ca_file is None else ssl.create_default_context(cafile=ca_file)

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> tuple[int, bytes]:
        """Return status and body.

        Raises:
            NoHubAnswerError: no connection within the first time limit, or no complete answer within the second.
        """
        if self._tls is None:
            self._tls = ssl.create_default_context()
        timeout = httpx.Timeout(answer_timeout_s, connect=connect_timeout_s)
        try:
            # An answer that trickles is bounded as well; the limits of the client are for each read.
            async with (
                asyncio.timeout(connect_timeout_s + answer_timeout_s),
                httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=timeout) as http,
            ):
                answer = await http.post(url, headers=headers, content=body)
        except (httpx.HTTPError, TimeoutError) as problem:
            raise NoHubAnswerError(f"{type(problem).__name__}: {problem}") from problem
        return answer.status_code, answer.content
