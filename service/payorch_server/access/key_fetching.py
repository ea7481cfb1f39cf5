"""Fetches the public keys of issuers of tokens over HTTPS."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from payorch_server.access.bearer import KeySet, KeySetError, parse_key_set
from payorch_server.access.key_source import KeyFetchError, KeySource, fresh_for_s, key_set_url
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.interpreter_defaults import client_tls_context

FETCH_TIMEOUT_S: Final = 5.0
"""For both requests of a discovery, and for the one without."""
MAX_ANSWER_BYTES: Final = 262_144
"""A set with a hundred keys of RSA has a quarter of that."""
_OK: Final = 200
_MAX_TEXT_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class FetchedKeySet:
    """A key set, as its issuer publishes it."""

    keys: KeySet
    fresh_s: float
    """How long it may be used before it is fetched again."""


class KeySetClient:
    """Fetches key sets; follows no redirect, keeps no connection, reads no proxy from the environment."""

    def __init__(self, *, version: str, deadlines: Deadlines, timeout_s: float = FETCH_TIMEOUT_S) -> None:
        """Make a client.

        Args:
            version: Of the service; requests name it in their user agent.
            deadlines: Of the process.
            timeout_s: For all requests of a fetch together.
        """
        # Nothing is decompressed, so a small answer cannot become a large one.
        self._headers = {
            "user-agent": f"payorch/{version}",
            "accept": "application/jwk-set+json, application/json",
            "accept-encoding": "identity",
        }
        self._deadlines = deadlines
        self._timeout_s = timeout_s

    async def fetch(self, source: KeySource) -> FetchedKeySet:
        """Fetch the keys of an issuer, by discovery if the source names no URL.

        Raises:
            KeyFetchError: They cannot be had, or are not what a key set must be.
        """
        try:
            with self._deadlines.limit(self._timeout_s):
                return await self._fetch(source)
        except TimeoutError as error:
            raise KeyFetchError(f"no complete answer within {self._timeout_s:.15g} s") from error
        except KeySetError as error:
            raise KeyFetchError(f"the key set {_shown(_after_subject(error))}") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            raise KeyFetchError(f"{type(error).__name__}: {_shown(str(error))}") from error

    async def _fetch(self, source: KeySource) -> FetchedKeySet:
        # What reads files or computes for long, runs in threads.
        async with await asyncio.to_thread(self._open, source) as http:
            url = source.url
            if not url:
                document, _ = await _get(http, source.discovery_url)
                url = key_set_url(document, source)
            text, headers = await _get(http, url)
        keys = await asyncio.to_thread(parse_key_set, text)
        fresh_s = fresh_for_s(headers.get_list("cache-control"), headers.get("age", ""))
        return FetchedKeySet(keys, fresh_s)

    def _open(self, source: KeySource) -> httpx.AsyncClient:
        proxy = httpx.Proxy(source.proxy.url, headers=source.proxy.headers) if source.proxy else None
        try:
            context = client_tls_context(source.ca_file)
        except OSError as error:
            raise KeyFetchError(f"ca_file {source.ca_file} cannot be read: {error.strerror or error}") from error
        return httpx.AsyncClient(
            headers=self._headers,
            verify=context,
            proxy=proxy,
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113 - `fetch` limits the time of everything together
        )


async def _get(http: httpx.AsyncClient, url: str) -> tuple[bytes, httpx.Headers]:
    """Return the body and the header of the answer to a GET.

    Raises:
        KeyFetchError: Its status is not 200, it is encoded, or larger than MAX_ANSWER_BYTES.
    """
    # A query may have a key in it.
    shown = url.partition("?")[0]
    async with http.stream("GET", url) as answer:
        if answer.status_code != _OK:
            hint = ", and redirects are not followed" if answer.has_redirect_location else ""
            raise KeyFetchError(f"{shown} answered with status {answer.status_code}{hint}")
        if _is_encoded(answer.headers):
            raise KeyFetchError(f"{shown} answered with a content encoding that was not asked for")
        body = bytearray()
        async for part in answer.aiter_raw():
            body += part
            if len(body) > MAX_ANSWER_BYTES:
                raise KeyFetchError(f"{shown} answered with more than {MAX_ANSWER_BYTES} bytes")
    return bytes(body), answer.headers


def _is_encoded(headers: Mapping[str, str]) -> bool:
    return headers.get("content-encoding", "identity").strip().lower() != "identity"


def _after_subject(error: KeySetError) -> str:
    text = str(error)
    return text if text.startswith(("is ", "contains ")) else f"has an error: {text}"


def _shown(text: str) -> str:
    """Return a text, part of which may be the other end's, as it may stand in a log line."""
    return "".join(character if character.isprintable() else "?" for character in text)[:_MAX_TEXT_CHARACTERS]
