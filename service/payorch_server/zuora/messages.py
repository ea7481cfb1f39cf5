"""Requests to Zuora and their answers, as values: paths, bodies and headers."""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import msgspec

from payorch_server.model.identifiers import entity_id_on_wire
from payorch_server.model.route import Route
from payorch_server.model.secret import REDACTED, Secret, reveal  # noqa: TID251 - bodies are put on the wire here
from payorch_server.runtime.interpreter_defaults import is_nested_deeper
from payorch_server.zuora.settings import TenantSettings

JsonObject = Mapping[str, Any]

TRACK_ID_HEADER: Final = "zuora-track-id"
"""Of requests and answers, and of the service's own calls."""
REQUEST_ID_HEADER: Final = "zuora-request-id"
"""Of answers."""
IDEMPOTENCY_KEY_HEADER: Final = "idempotency-key"
ENTITY_IDS_HEADER: Final = "zuora-entity-ids"
ORG_IDS_HEADER: Final = "zuora-org-ids"
VERSION_HEADER: Final = "zuora-version"

# No code, id or amount of Zuora's is longer; see text_of.
_MAX_DIGITS: Final = 100


@dataclass(frozen=True, slots=True)
class Call:
    """One request to Zuora, before anything about transport is known."""

    operation: str
    """Short name for spans and messages, such as `sessions`."""
    path: str
    body: JsonObject = field(repr=False)
    """JSON values, Decimal for numbers, msgspec.Raw for text kept verbatim, Secret around what must not be shown."""
    query: tuple[tuple[str, str], ...] = ()

    @property
    def versioned(self) -> bool:
        """Whether Zuora-Version applies: it does to v1 paths alone."""
        return self.path.startswith("/v1/")


def route_headers(route: Route, tenant: TenantSettings, *, versioned: bool) -> dict[str, str]:
    """Return the headers that name entity, orgs and version, each only where it applies.

    Args:
        route: Where the call goes; a route that an older version pinned may have its ids in another form.
        tenant: Of the route.
        versioned: Whether Zuora-Version applies to the call's path.
    """
    headers: dict[str, str] = {}
    if route.entity_id:
        headers[ENTITY_IDS_HEADER] = entity_id_on_wire(route.entity_id)
    if route.org_ids:
        headers[ORG_IDS_HEADER] = ",".join(route.org_ids)
    if versioned:
        headers[VERSION_HEADER] = tenant.zuora_version
    return headers


class Damage(enum.Enum):
    """Why the body of an answer cannot be trusted; the value completes "the body ..."."""

    CUT = "was cut off"
    """The connection broke or its framing did; another answer may be whole."""
    UNFRAMED = "is empty and has no length"
    """Only the end of the connection ends it, so that it may have been cut off at its head."""
    LATE = "did not arrive in time"
    TOO_LARGE = "is too large"
    UNDECODABLE = "cannot be decompressed"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP answer: its status and headers, and its body as far as it arrived."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """By lower-case name; they may quote the request."""
    body: bytes = field(repr=False)
    """As Zuora sent it, without content codings, with tokens and personal data."""
    damage: Damage | None = None
    """What is wrong with the body; None if it is complete."""

    @property
    def zuora_request_id(self) -> str:
        """Zuora's name for the request; empty if the answer has none."""
        return self.headers.get(REQUEST_ID_HEADER, "")

    @property
    def track_id(self) -> str:
        """Track-Id of the call that the answer was made for; empty if the answer has none."""
        return self.headers.get(TRACK_ID_HEADER, "")


def _wire(value: Any) -> Any:
    if isinstance(value, Secret):
        return reveal(value)
    raise TypeError(f"A {type(value).__name__} cannot be sent to Zuora.")


def _preview(value: Any) -> Any:
    if isinstance(value, Secret):
        return REDACTED
    raise TypeError(f"A {type(value).__name__} cannot be shown.")


# Sorted by name: protobuf maps come in another order in every process, and a replica that takes an intent over must
# send the very bytes of the first send, or Zuora could take them for another request under the same key.
_WIRE: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=_wire, order="deterministic")
_PREVIEW: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=_preview, order="deterministic")
_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)


def encode_body(body: JsonObject) -> bytes:
    """Return the JSON for the wire: Decimals as exact numbers, members sorted by name at every depth."""
    return _WIRE.encode(body)


def preview_body(body: JsonObject) -> str:
    """Return the JSON with every secret replaced, for people to read."""
    return _PREVIEW.encode(body).decode()


def secret_texts(value: object) -> Iterator[str]:
    """Yield the text of every secret in a body; for a secret that is JSON its values, without the names."""
    if isinstance(value, Secret):
        inner = reveal(value)
        raw = bytes(inner) if isinstance(inner, msgspec.Raw) else str(inner).encode()
        found = decode_object(raw)
        yield from (raw.decode(),) if found is None else _leaves(found)
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from secret_texts(member)


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for member in value.values():
            yield from _leaves(member)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield str(value)


def decode_json(body: bytes) -> tuple[bool, Any]:
    """Return whether the bytes are JSON that is not nested too deeply, and its value, fractional numbers as Decimal."""
    if is_nested_deeper(body):
        return False, None
    try:
        return True, _DECODER.decode(body)
    # Not only bytes that are no JSON: also numbers beyond Decimal's range.
    except (msgspec.DecodeError, ValueError, ArithmeticError):
        return False, None


def decode_object(body: bytes) -> JsonObject | None:
    """Return the JSON object in bytes, or None if there is none."""
    _, payload = decode_json(body)
    return payload if isinstance(payload, dict) else None


def text_of(value: object) -> str:
    """Return a JSON string or number as text, digit by digit; anything else is empty."""
    if isinstance(value, Decimal):
        # 1e999999999 is ten characters of JSON and a gigabyte of digits.
        return format(value, "f") if abs(value.adjusted()) <= _MAX_DIGITS else str(value)
    if isinstance(value, int) and abs(value) >= 10**_MAX_DIGITS:
        return ""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def whole_number(value: object) -> int | None:
    """Return a JSON number that is whole, also one that is written 12.0; None for anything else."""
    if isinstance(value, Decimal):
        is_whole = value.is_finite() and abs(value.adjusted()) <= _MAX_DIGITS and value == value.to_integral_value()
        return int(value) if is_whole else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
