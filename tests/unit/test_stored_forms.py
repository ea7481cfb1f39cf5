"""What is stored, or computed again by every replica and version, byte for byte.

The file holds what the code wrote when the file was made. A red test here means that the code is wrong, not the file:
records that exist would no longer be read, joined or compared.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from google.protobuf.message import Message
from harness.checked import hashed
from harness.stored_by_service import ROUTE, decryption_request, payment_method_request, session_request
from payorch_server.calls.history import _store_key as call_store_key
from payorch_server.intents.executor import idempotency_key
from payorch_server.intents.intent import Fingerprint
from payorch_server.intents.intent_record import (
    IntentRecord,
    Settlement,
    StoredEvidence,
    decode_record,
    decode_result,
    encode_record,
    encode_result,
    store_key,
)
from payorch_server.intents.token_guard import token_name
from payorch_server.model.identifiers import IdempotencyKey, RequestId, TrackId, trace_id_of
from payorch_server.model.secret import Secret
from payorch_server.rpc.request_fingerprint import COMPACT
from payorch_server.store.keyring import Keyring
from payorch_server.zuora.resources.decryption import DecryptionResult
from payorch_server.zuora.resources.payment_methods import CreatedPaymentMethod

FORMS: Final = json.loads((Path(__file__).parents[1] / "vectors" / "0.1.0" / "stored_forms.json").read_text())
KEYRING: Final = Keyring(
    (("2026b", Secret(b"b" * 32)), ("2026a", Secret(b"a" * 32))), entropy=lambda count: bytes(range(count))
)
FINGERPRINT: Final = Fingerprint(
    "2026b", {".": "0011223344556677", "amount.units": "8899aabbccddeeff"}, "00112233445566778899aabbccddeeff"
)
RECORDS: Final = {
    "just opened": IntentRecord(FINGERPRINT, ROUTE, "0123456789abcdef", 1790000065.25, 1790000000.25),
    "in doubt, taken over": IntentRecord(
        FINGERPRINT,
        ROUTE,
        "fedcba9876543210",
        0.0,
        1790000000.25,
        takeovers=2,
        passed_guard=True,
        doubtful=True,
        answer_ids=("zreq-1", "PROC1"),
        track_ids=("track-1", "track-2"),
        earliest_send_s=1789999999.5,
    ),
    "in doubt, with hashed ids": IntentRecord(
        FINGERPRINT,
        ROUTE,
        "fedcba9876543210",
        0.0,
        1790000000.25,
        doubtful=True,
        answer_ids=("hmac-0123456789abcdef0123456789abcdef",),
        track_ids=("hmac-fedcba9876543210fedcba9876543210",),
    ),
    "failed with what exists": IntentRecord(
        FINGERPRINT,
        ROUTE,
        "0123456789abcdef",
        0.0,
        1790000000.25,
        track_ids=("track-1",),
        settlement=Settlement(
            "PAYMENT_REFUSED_METHOD_CREATED",
            evidence=StoredEvidence(("53000030",), payment_method_id="pm-1", payment_id="pay-1", retry_after_s=2.5),
            zuora_request_id="zreq-1",
            zuora_process_id="PROC1",
            executed_track_id="track-1",
            settled_at_s=1790000003.5,
            payment_method_id="pm-1",
            payment_id="pay-1",
        ),
    ),
    "succeeded": IntentRecord(
        FINGERPRINT,
        ROUTE,
        "0123456789abcdef",
        0.0,
        1790000000.25,
        settlement=Settlement(
            "", key_id="2026b", sealed_result=b"\x00\x01sealed", settled_at_s=1790000001.0, payment_method_id="pm-1"
        ),
    ),
}
RESULTS: Final[Mapping[str, tuple[Any, Any]]] = {
    "session": (Secret("session-token"), Secret[str]),
    "decryption": (DecryptionResult("pm-1", "pay-1", "12.34"), DecryptionResult),
    "payment method": (
        CreatedPaymentMethod("pm-2", {"id": "pm-2", "type": "ach_debit", "ach_debit": {"bank_name": "Bank"}}),
        CreatedPaymentMethod,
    ),
}
REQUEST_ID: Final = RequestId("0190f6b2-7c3e-7d4a-9b1c-2d3e4f5a6b7c")


REQUESTS: Final = {
    "session": session_request(REQUEST_ID),
    "decryption": decryption_request(REQUEST_ID),
    "payment method": payment_method_request(REQUEST_ID),
}


def fingerprint_of(request: Message) -> dict[str, Any]:
    """Return a request's fingerprints under both keys, as JSON."""
    return {
        key_id: {"plain": dict(made.plain), "sensitive": made.sensitive}
        for key_id in KEYRING.key_ids
        for made in [hashed(request, KEYRING, in_place_of={"token_json": b"members"}).under(key_id)]
    }


def compact_fingerprint_of(request: Message) -> dict[str, Any]:
    """Return a request's fingerprints in form 2 under both keys, as JSON."""
    made = hashed(request, KEYRING, in_place_of={"token_json": b"members"})
    return {key_id: dataclasses.asdict(made.under(f"{COMPACT}{key_id}")) for key_id in KEYRING.key_ids}


def computed() -> dict[str, Any]:
    """Return what every replica and version must compute alike."""
    key = idempotency_key(namespace="billing", rpc="CreateSession", request_id=REQUEST_ID)
    return {
        "idempotency_key": key,
        "store_keys": {
            "intent": store_key(key),
            "call": call_store_key("billing", "track-1"),
            "token": token_name(public_key_hash="cGsx", transaction_id="ABCDEF01"),
        },
        "keyring": {
            "keyed_hash": {key_id: KEYRING.keyed_hash(key_id, b"value").hex() for key_id in KEYRING.key_ids},
            "name_in_spans": KEYRING.name_in_spans(IdempotencyKey("po1-00")),
            "pseudonyms": [*KEYRING.pseudonyms("zreq-1", purpose="answer id")],
            "sealed": KEYRING.seal(b"value", purpose="po1-00")[1].hex(),
        },
        "trace_ids": {track_id: trace_id_of(TrackId(track_id)) for track_id in ("order-1", "a" * 32 + "-" + "b" * 16)},
    }


def test_computed_values_are_frozen() -> None:
    """Keys, names, hashes and seals."""
    assert FORMS["computed"] == computed()


def test_a_sealed_value_can_be_opened() -> None:
    """By every later version that has the key."""
    sealed = bytes.fromhex(FORMS["computed"]["keyring"]["sealed"])

    assert b"value" == KEYRING.unseal("2026b", sealed, purpose="po1-00")


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_written_and_read_as_ever(name: str) -> None:
    """What is in the store stays readable, and a replica of the other version reads what this one writes."""
    assert FORMS["records"][name] == encode_record(RECORDS[name]).hex()
    assert RECORDS[name] == decode_record(bytes.fromhex(FORMS["records"][name]))


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_written_and_read_as_ever(name: str) -> None:
    """Before it is sealed."""
    value, kind = RESULTS[name]

    assert FORMS["results"][name] == encode_result(value).decode()
    assert value == decode_result(FORMS["results"][name].encode(), kind)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_hashes_as_ever(name: str) -> None:
    """Otherwise a resend after a rollout would be refused as a changed request."""
    assert FORMS["fingerprints"][name] == fingerprint_of(REQUESTS[name])
    assert FORMS["compact_fingerprints"][name] == compact_fingerprint_of(REQUESTS[name])


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_compared_with_what_any_version_recorded(name: str) -> None:
    """In either form, under either key, and never with another request."""
    recorded = [
        *(Fingerprint(key_id, **members) for key_id, members in FORMS["fingerprints"][name].items()),
        *(Fingerprint(**members) for members in FORMS["compact_fingerprints"][name].values()),
    ]
    again = hashed(REQUESTS[name], KEYRING, in_place_of={"token_json": b"members"})

    assert [()] * 4 == [again.differences(one) for one in recorded]
    for other in REQUESTS.keys() - {name}:
        assert all(hashed(REQUESTS[other], KEYRING).differences(one) for one in recorded)


@pytest.mark.parametrize("name", REQUESTS)
def test_form_2_is_an_unknown_key_to_older_versions(name: str) -> None:
    """They read its record, and call the intent expired; a key that they have would make it another request."""
    for members in FORMS["compact_fingerprints"][name].values():
        record = dataclasses.replace(RECORDS["just opened"], fingerprint=Fingerprint(**members))

        assert record == decode_record(encode_record(record))
        assert record.fingerprint.key_id not in KEYRING.key_ids
