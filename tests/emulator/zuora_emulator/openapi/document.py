"""Puts the document together: Zuora's operations from one table, control endpoints from the one that serves them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from starlette.requests import Request

from zuora_emulator.control_base import INDEX_PATH, Endpoint
from zuora_emulator.headers import KNOWN_VERSIONS, LONGEST_TRACK_ID
from zuora_emulator.idempotency import LONGEST_KEY
from zuora_emulator.method_reads import SORTABLE
from zuora_emulator.openapi.answer_schemas import answer_schemas
from zuora_emulator.openapi.control_schemas import CONTROL_ANSWERS, control_schemas
from zuora_emulator.openapi.request_schemas import request_schemas
from zuora_emulator.openapi.schema_parts import DATE, NUMBER, TEXT, Schema, items, one_of, ref
from zuora_emulator.operations import Operation
from zuora_emulator.selection import ACCOUNT_FIELDS, LARGEST_PAGE, PAYMENT_METHOD_FIELDS
from zuora_emulator.transaction_lists import LARGEST_PAGE as LARGEST_V1_PAGE
from zuora_emulator.transaction_lists import MOST_SORT_FIELDS, PAYMENTS, REFUNDS, Kind, Listed

OPENAPI_PATH = "/_emulator/openapi.json"
_JSON = "application/json"
_WITH_TOKEN = frozenset({"sessions", "v1", "quickstart"})
"""Dialects whose calls carry an access token."""
_INTRODUCTION = """What the emulator takes and answers. It is not Zuora, and this is not Zuora's specification.

Requests are described as they are accepted with the usual switches. Answers are described with every form that a
switch can give them; a scripted fault may answer anything else.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the document says of one of Zuora's operations."""

    summary: str
    answers: Mapping[int, str]
    """Names of schemas by HTTP status of success."""
    request: str | None = None
    """Name of the schema of the body."""


DESCRIBED: Mapping[str, Described] = {
    "token": Described(summary="Issue an access token", request="TokenRequest", answers={200: "Token"}),
    "sessions": Described(summary="Create a payment session", request="SessionRequest", answers={200: "Session"}),
    "decryption": Described(
        summary="Create a payment method of an Apple Pay token, and pay an invoice if asked",
        request="DecryptionRequest",
        answers={200: "Decryption"},
    ),
    "payment_methods": Described(
        summary="Create a payment method (Quickstart)",
        request="PaymentMethodRequest",
        answers={201: "PaymentMethod", 202: "Accepted"},
    ),
    "payment_methods_v1": Described(
        summary="Create a payment method (v1)", request="PaymentMethodRequestV1", answers={200: "CreatedV1"}
    ),
    "redeem_session": Described(
        summary="Redeem a session in place of a browser", request="RedemptionRequest", answers={200: "Redemption"}
    ),
    "get_payment_method": Described(summary="Read a payment method (Quickstart)", answers={200: "PaymentMethod"}),
    "list_payment_methods": Described(
        summary="List payment methods in pages (Quickstart)", answers={200: "PaymentMethodList"}
    ),
    "update_payment_method": Described(
        summary="Give a payment method its account (Quickstart)",
        request="AccountOfMethod",
        answers={200: "PaymentMethod", 202: "Accepted"},
    ),
    "get_payment_method_v1": Described(summary="Read a payment method (v1)", answers={200: "PaymentMethodV1"}),
    "update_payment_method_v1": Described(
        summary="Give a payment method its account (v1)", request="AccountOfMethodV1", answers={200: "CreatedV1"}
    ),
    "create_payment": Described(
        summary="Pay with a payment method of the account", request="PaymentRequest", answers={200: "Payment"}
    ),
    "list_payments": Described(summary="List payments in pages", answers={200: "PaymentList"}),
    "get_payment": Described(summary="Read a payment by id or number", answers={200: "Payment"}),
    "refund_payment": Described(summary="Refund a payment", request="RefundRequest", answers={200: "Refund"}),
    "list_refunds": Described(summary="List refunds in pages", answers={200: "RefundList"}),
    "get_refund": Described(summary="Read a refund by id or number", answers={200: "Refund"}),
}
"""By name of the operation; an operation without an entry has no document, and a test says so."""


def openapi_endpoint(paths: Sequence[tuple[str, Operation]], endpoints: Sequence[Endpoint]) -> Endpoint:
    """Return the endpoint that serves the document of these operations, these endpoints and itself."""

    async def serve(_request: Request) -> Any:
        return document(paths, [*endpoints, endpoint])

    endpoint = Endpoint("GET", OPENAPI_PATH, "describe operations and endpoints as OpenAPI 3.1", serve)
    return endpoint


def document(paths: Sequence[tuple[str, Operation]], endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the document."""
    described: dict[str, dict[str, Any]] = {}
    for path, operation in paths:
        described.setdefault(path, {}).update(_operation(path, operation))
    listed = [(endpoint.method, endpoint.path, endpoint.does) for endpoint in endpoints]
    for method, path, does in [("GET", INDEX_PATH, "list the control endpoints"), *listed]:
        described.setdefault(path, {})[method.lower()] = _control(method, path, does)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "zuora-emulator",
            "version": metadata.version("payorch-zuora-emulator"),
            "description": _INTRODUCTION,
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": "zuora"}, {"name": "control"}],
        "paths": described,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted((request_schemas() | answer_schemas() | control_schemas()).items())),
        },
    }


def _operation(path: str, operation: Operation) -> dict[str, Any]:
    about = DESCRIBED[operation.name]
    is_form = operation.dialect == "oauth"
    media_type = "application/x-www-form-urlencoded" if is_form else _JSON
    body = {"required": True, "content": {media_type: {"schema": ref(about.request)}}} if about.request else None
    entry: dict[str, Any] = {
        "operationId": _name_of(operation.method, path),
        "summary": about.summary,
        "tags": ["zuora"],
        "x-operation": operation.name,
        "security": [{"token": []}] if operation.dialect in _WITH_TOKEN else [],
        "parameters": [*_path_parameters(path), *_headers(operation), *_query(operation)],
        "responses": _successes(operation, about) | _failures(operation),
    }
    return {operation.method.lower(): entry | ({"requestBody": body} if body else {})}


def _name_of(method: str, path: str) -> str:
    return f"{method.lower()}{re.sub('[^a-z0-9]+', '_', path.lower())}".rstrip("_")


def _successes(operation: Operation, about: Described) -> dict[str, Any]:
    """Return the successes; what is not Quickstart may fail below HTTP 200 as well."""
    may_fail = operation.dialect in {"v1", "sessions"}
    return {
        str(status): _answer("Success", {"anyOf": [ref(name), ref("Failure")]} if may_fail else ref(name))
        for status, name in about.answers.items()
    }


def _failures(operation: Operation) -> dict[str, Any]:
    errors = {"quickstart": "QuickstartError", "browser": "BrowserError"}
    error = ref(errors.get(operation.dialect, "ErrorV1"))
    from_an_edge = _answer("The service, or an edge before it", error)
    from_an_edge["content"] |= {"text/html": {"schema": {"type": "string"}}}
    return {"408": from_an_edge, "4XX": _answer("Refused", error), "5XX": from_an_edge}


def _answer(description: str, schema: Schema) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": schema}}}


def _parameter(place: str, name: str, schema: Schema, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": schema}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        _parameter("path", name, {"type": "string", "minLength": 1}, required=True)
        for name in re.findall(r"{(\w+)}", path)
    ]


def _headers(operation: Operation) -> list[dict[str, Any]]:
    schemas: dict[str, Schema] = {
        "Zuora-Track-Id": {"type": "string", "pattern": f"^[0-9A-Za-z_.-]{{1,{LONGEST_TRACK_ID}}}$"},
        "Zuora-Entity-Ids": {"type": "string", "format": "uuid"},
    }
    if operation.dialect == "browser":
        return []
    if operation.dialect != "oauth":
        schemas["Zuora-Org-Ids"] = {"type": "string", "pattern": "^[0-9a-f]{32}(,[0-9a-f]{32})*$"}
        if operation.method == "POST":
            schemas["Idempotency-Key"] = {"type": "string", "pattern": f"^[!-~]{{1,{LONGEST_KEY}}}$"}
    if operation.dialect == "v1":
        schemas["Zuora-Version"] = one_of(sorted(KNOWN_VERSIONS))
    if operation.dialect == "quickstart" and operation.method != "GET":
        schemas["async"] = one_of(["false", "true"])
    return [_parameter("header", name, schema) for name, schema in schemas.items()]


_V1_LISTS = {"list_payments": PAYMENTS, "list_refunds": REFUNDS}
_V1_FILTERS: Mapping[Kind, Schema] = {
    "text": TEXT,
    "number": NUMBER,
    "day": DATE,
    "time": {"type": "string", "format": "date-time"},
}


def _v1_query(listed: Listed) -> list[dict[str, Any]]:
    field = f"[+-]?({'|'.join(listed.sortable)})"
    schemas: dict[str, Schema] = {
        "page": {"type": "integer", "minimum": 1},
        "pageSize": {"type": "integer", "minimum": 1, "maximum": LARGEST_V1_PAGE},
        "sort": {"type": "string", "pattern": f"^{field}(,{field}){{0,{MOST_SORT_FIELDS - 1}}}$"},
    }
    schemas |= {name: _V1_FILTERS[kind] for name, kind in listed.filters.items()}
    return [_parameter("query", name, schema) for name, schema in schemas.items()]


def _query(operation: Operation) -> list[dict[str, Any]]:
    if operation.name in _V1_LISTS:
        return _v1_query(_V1_LISTS[operation.name])
    if operation.dialect != "quickstart":
        return []
    method_fields = items(one_of(sorted(PAYMENT_METHOD_FIELDS)))
    schemas: dict[str, Schema] = {
        "fields[]": method_fields,
        "payment_method.fields[]": method_fields,
        "account.fields[]": items(one_of(sorted(ACCOUNT_FIELDS))),
        "expand[]": items({"type": "string", "pattern": "^[a-z_]+([.][a-z_]+)*$"}),
        "filter[]": items({"type": "string", "pattern": r"^[a-z_]+(\[[a-z_]+\])?[.][A-Z]{2,3}:[0-9A-Za-z]+$"}),
        "page_size": {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE},
    }
    if operation.name == "list_payment_methods":
        schemas["cursor"] = {"type": "string"}
        schemas["sort[]"] = items({"type": "string", "pattern": f"^({'|'.join(SORTABLE)})[.](asc|desc)$"})
    return [
        _parameter("query", name, schema) | ({"style": "form", "explode": True} if schema.get("items") else {})
        for name, schema in schemas.items()
    ]


def _control(method: str, path: str, does: str) -> dict[str, Any]:
    schema = CONTROL_ANSWERS.get(f"{method} {path}", {"type": "object"})
    entry: dict[str, Any] = {
        "operationId": _name_of(method, path),
        "summary": does[:1].upper() + does[1:],
        "tags": ["control"],
        "security": [],
        "parameters": _path_parameters(path),
        "responses": {"200": _answer("Done", schema), "4XX": _answer("Not possible", ref("Message"))},
    }
    if method in {"POST", "PUT", "PATCH"}:
        entry["requestBody"] = {"content": {_JSON: {"schema": {"type": "object"}}}}
    return entry
