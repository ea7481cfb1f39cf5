"""Holds each answer of an emulator against the OpenAPI document that it serves."""

import gzip
import json
import re
from collections.abc import Mapping
from typing import Any

import jsonschema_rs
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from zuora_emulator.faults import Kind, parse_fault
from zuora_emulator.journal import Journal

_WHOLE = frozenset({Kind.STATUS, Kind.SUCCESS_FALSE, Kind.SLOW, Kind.HTML, Kind.DECLINED, Kind.DECLINED_AS_FAULT})
"""The faults that change what happens; all others damage the answer, after which it has no form."""
_OF_V1 = frozenset({Kind.SUCCESS_FALSE, Kind.DECLINED_AS_FAULT})
"""Failures below HTTP 200, which Quickstart has not, unless a fault says so."""
_FOR_PEOPLE = frozenset({"/", "/_emulator/page.css", "/_emulator/page.js"})
"""What a browser reads; no part of the contract."""
_WITHOUT_BODY_BY_SWITCH = frozenset({409, 422})


class OpenApiAnswers:
    """Finds what the document does not allow.

    Args:
        document: OpenAPI 3.1.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._paths = [
            (re.compile(re.sub(r"{\w+}", "[^/]+", path)), methods) for path, methods in document["paths"].items()
        ]
        self._validators: dict[str, Any] = {}

    def problem(self, *, method: str, path: str, status: int, media_type: str, body: bytes) -> str:
        """Return what is wrong with an answer, or nothing; methods and paths that are not described may only fail."""
        described = self._described(method, path)
        if described is None:
            is_fine = status >= 400 or path in _FOR_PEOPLE
            return "" if is_fine else f"{method} {path} is not described and answered {status}."
        answers = described["responses"]
        answer = answers.get(str(status)) or answers.get(f"{status // 100}XX")
        if answer is None:
            return f"{method} {path} answered {status}, which is not described."
        if not body and status in _WITHOUT_BODY_BY_SWITCH:
            return ""
        content = answer["content"].get(media_type)
        if content is None:
            return f"{method} {path} answered {status} with {media_type or 'no type'}, which is not described."
        if media_type != "application/json":
            return ""
        problems = [
            f"{error.instance_path}: {error.message[:300]}"
            for error in self._validator(content["schema"]).iter_errors(json.loads(body))
        ]
        return f"{method} {path} answered {status} with {body[:500]!r}: {'; '.join(problems)}" if problems else ""

    def _described(self, method: str, path: str) -> Any:
        # The first that fits: a path without names stands before those with names.
        fitting = [methods for pattern, methods in self._paths if pattern.fullmatch(path)]
        return next((methods[method.lower()] for methods in fitting if method.lower() in methods), None)

    def _validator(self, schema: Mapping[str, Any]) -> Any:
        key = json.dumps(schema)
        if key not in self._validators:
            whole = {**schema, "components": self._document["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self._validators[key]


class CheckedApp:
    """An emulator's application whose answers are looked at on their way.

    Args:
        app: The application.
        journal: Of the same emulator, which knows by what fault an answer was damaged.
        answers: What they are held against.
        problems: Where problems are added.
    """

    def __init__(self, app: ASGIApp, journal: Journal, answers: OpenApiAnswers, problems: list[str]) -> None:
        self._app = app
        self._journal = journal
        self._answers = answers
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and look at the answer if it came to its end."""
        before, sent = len(self._journal.entries), list[Message]()

        async def noted(message: Message) -> None:
            sent.append(message)
            await send(message)

        await self._app(scope, receive, noted)
        if scope["type"] == "http" and sent and not self._is_damaged(before, sent[0]):
            self._look_at(scope, sent)

    def _is_damaged(self, before: int, start: Message) -> bool:
        """Whether a fault damaged the answer: of a call since then, or of the one whose answer is repeated."""
        request_id = dict(start["headers"]).get(b"zuora-request-id", b"").decode()
        entries = [entry for entry in self._journal.entries if entry.request_id == request_id]
        faults = [parse_fault(entry.fault) for entry in (*self._journal.entries[before:], *entries) if entry.fault]
        return any(
            fault.kind not in _WHOLE or (fault.kind in _OF_V1 and fault.operation == "payment_methods")
            for fault in faults
        )

    def _look_at(self, scope: Scope, sent: list[Message]) -> None:
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        body = b"".join(message.get("body", b"") for message in sent[1:])
        problem = self._answers.problem(
            method=scope["method"],
            path=scope["path"],
            status=sent[0]["status"],
            media_type=headers.get("content-type", ""),
            body=gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body,
        )
        if problem:
            self._problems.append(problem)
