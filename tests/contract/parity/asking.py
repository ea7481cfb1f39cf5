"""Sending the cases, and what is kept of an answer: its form, and never a value that could be a secret."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
from contract.parity.cases import Case, Request
from contract.parity.subject import SetUpError, Subject

_VERSION = "2025-08-12"
_HEADERS = ("content-type", "zuora-request-id", "zuora-track-id", "retry-after", "www-authenticate")
_HEADER_STARTS = ("ratelimit-", "concurrency-limit-")
_CODE = re.compile(r"\d{8}")
_WORD = re.compile(r"[a-z]+(_[a-z]+)*")
_WORD_PATHS = frozenset({"error.type", "error.code", "errors[].code", "errors[].type"})
EMULATOR_MARK = "zuora-emulator"


@dataclass(frozen=True, slots=True)
class Answer:
    """The form of one answer.

    Attributes:
        status: The HTTP status; 0 when no answer came, which `body` then names.
        success: Of a `success` member; None without one.
        codes: Reason codes as their first two and last two digits, with the JSON type: `53xxxx20 number`.
        words: Quickstart's error words with their paths.
        body: JSON type by path; empty for a body that is no JSON.
        headers: Names of those headers that clients read.
        emulated: Whether it says that it is an emulator's.
    """

    status: int
    success: bool | None = None
    codes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    body: Mapping[str, str] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    emulated: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it for the report."""
        return asdict(self)


class Asker:
    """Sends cases to one subject, with one access token."""

    def __init__(self, subject: Subject, http: httpx.AsyncClient, *, run: str) -> None:
        self._subject = subject
        self._http = http
        self._run = run
        self._bearer: str | None = None
        self.tokens: set[str] = set()
        """Access and session tokens that were seen; they may stand in no report."""

    async def ask(self, case: Case) -> list[Answer]:
        """Return the answers to a case's requests."""
        return [await self._send(request) for request in case.requests(self._subject, self._run)]

    async def _send(self, request: Request) -> Answer:
        headers = dict(request.headers) if request.form else await self._usual_headers() | dict(request.headers)
        content, kind = request.body()
        sent = {name: value for name, value in headers.items() if value is not None}
        sent |= {} if kind is None else {"Content-Type": kind}
        try:
            response = await self._http.request(request.method, request.path, content=content, headers=sent)
        except httpx.HTTPError as problem:
            return Answer(status=0, body={"": type(problem).__name__})
        return self._read(response)

    async def _usual_headers(self) -> dict[str, str | None]:
        if self._bearer is None:
            self._bearer = await self._token()
        optional = {"Zuora-Entity-Ids": self._subject.entity, "Zuora-Org-Ids": self._subject.org}
        usual = {"Authorization": f"Bearer {self._bearer}", "Zuora-Version": _VERSION}
        return usual | {name: value for name, value in optional.items() if value}

    async def _token(self) -> str:
        form = {
            "client_id": self._subject.client_id,
            "client_secret": self._subject.client_secret,
            "grant_type": "client_credentials",
        }
        try:
            response = await self._http.post("/oauth/token", data=form)
            token = response.json()["access_token"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as problem:
            raise SetUpError(f"{self._subject.base_url} gave no access token ({type(problem).__name__}).") from None
        self.tokens.add(str(token))
        return str(token)

    def _read(self, response: httpx.Response) -> Answer:
        try:
            content = json.loads(response.content)
        except ValueError:
            content = None
        body: dict[str, str] = {}
        _collect_types(content, "", body)
        found: dict[str, list[Any]] = {}
        _collect_values(content, "", found)
        self.tokens.update(str(value) for path in ("token", "access_token") for value in found.get(path, ()))
        names = [name.lower() for name in response.headers]
        return Answer(
            status=response.status_code,
            success=content.get("success") if isinstance(content, dict) else None,
            codes=tuple(
                sorted({_code(code) for path in found if path.endswith("code") for code in found[path]} - {""})
            ),
            words=tuple(
                sorted(f"{path} {word}" for path in _WORD_PATHS for word in found.get(path, ()) if _is_word(word))
            ),
            body=body if content is not None else {},
            headers=tuple(sorted({name for name in names if name in _HEADERS or name.startswith(_HEADER_STARTS)})),
            emulated=EMULATOR_MARK in response.headers,
        )


def _collect_types(value: Any, path: str, into: dict[str, str]) -> None:
    if isinstance(value, dict):
        for name, below in value.items():
            _collect_types(below, f"{path}.{name}" if path else str(name), into)
    elif isinstance(value, list):
        for below in value:
            _collect_types(below, f"{path}[]", into)
    else:
        kinds = {bool: "boolean", int: "number", float: "number", str: "text", type(None): "null"}
        into[path] = kinds[type(value)]


def _collect_values(value: Any, path: str, into: dict[str, list[Any]]) -> None:
    if isinstance(value, dict):
        for name, below in value.items():
            _collect_values(below, f"{path}.{name}" if path else str(name), into)
    elif isinstance(value, list):
        for below in value:
            _collect_values(below, f"{path}[]", into)
    else:
        into.setdefault(path, []).append(value)


def _code(value: Any) -> str:
    text = str(value)
    if not _CODE.fullmatch(text):
        return ""
    return f"{text[:2]}xxxx{text[-2:]} {'text' if isinstance(value, str) else 'number'}"


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 40 and _WORD.fullmatch(value) is not None
