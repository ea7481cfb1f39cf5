"""What a call brings beside its message: Track-Id, trace context, baggage, and gRPC's count of attempts."""

import re
from collections.abc import Iterator
from typing import Any, Final

from harness.keyring import KEYRING
from opentelemetry import trace
from payorch_server.intents.intent_record import minted_at
from payorch_server.model.identifiers import parse_request_id, parse_track_id, trace_id_of
from payorch_server.rpc.interceptors.boundary import _is_retry
from payorch_server.rpc.track_ids import TRACK_ID_KEY, recorded_request_ids, recorded_track_ids, track_id_of
from payorch_server.telemetry.spans import caller_baggage, caller_context

from fuzz.target import CANARY, Target, note, require

_METHOD: Final = "/payorch.v1.PaymentOrchestrationService/CreateSession"
_CARD: Final = "4111111111111111"
_A_CARD: Final = re.compile(rf"(?<![0-9A-Za-z]){_CARD}(?![0-9A-Za-z])")
_SHOWN: Final = re.compile(r"[!-~]{1,128}")


def run(data: bytes) -> None:
    """Read lines of `name: value`; names that end in -bin have bytes, as in gRPC."""
    metadata: list[tuple[str, Any]] = []
    for line in data.split(b"\n"):
        name, _, value = line.partition(b": ")
        key = name.decode("latin-1")
        metadata.append((key, value if key.endswith("-bin") else value.decode("latin-1")))
    span = trace.INVALID_SPAN
    track_id, error = track_id_of(metadata, span)
    if error is not None:
        note(error, error.failure)
    given = [value for key, value in metadata if key == TRACK_ID_KEY]
    require(error is not None or not given or given == [track_id], "an accepted Track-Id is the one that was given")
    require(parse_track_id(track_id) == track_id, "every call has a valid Track-Id")
    require(all(map(_SHOWN.fullmatch, recorded_track_ids(track_id, KEYRING))), "a shown Track-Id is one word")
    require(len(trace_id_of(track_id)) == 32, "every Track-Id leads to a trace")
    parent = trace.get_current_span(caller_context(metadata)).get_span_context()
    require(parent.trace_id < 2**128 and parent.span_id < 2**64, "trace context fits its fields")
    for value in caller_baggage(metadata, allowed=("card", "shop")).values():
        require(len(value) <= 64 and not _A_CARD.search(value), "baggage is short, and holds no card number")
    _is_retry(_METHOD, metadata)
    for _, value in metadata:
        _read_request_id(value if isinstance(value, str) else "")


def _read_request_id(text: str) -> None:
    request_id = parse_request_id(text)
    minted_at(text)
    if request_id is not None:
        require(all(map(_SHOWN.fullmatch, recorded_request_ids(request_id, KEYRING))), "a shown request id is one word")


def _seeds() -> Iterator[bytes]:
    yield b"zuora-track-id: order-17"
    yield b"zuora-track-id: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
    yield b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\ntracestate: a=1,b@c=2"
    yield f"baggage: card={_CARD},shop=a%20b;property=1\ngrpc-previous-rpc-attempts: 1".encode()
    yield b"x: 018f3a2b-7c4d-7e5f-8a9b-0c1d2e3f4a5b\nx-bin: \x00\xff"
    yield f"zuora-track-id: a\nzuora-track-id: {CANARY},{CANARY}".encode()


TARGET = Target(
    "call_metadata",
    run,
    _seeds,
    covers=("rpc.track_ids", "model.identifiers", "telemetry.spans", "intents.intent_record"),
    words=(
        "zuora-track-id: ",
        "traceparent: ",
        "tracestate: ",
        "baggage: ",
        "card=",
        "shop=",
        "-bin: ",
        "\n",
        "ff-",
        "%",
    ),
)
