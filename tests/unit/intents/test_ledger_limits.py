"""What is too large for a record must not cost an outcome."""

import pytest
from harness.checked import hashed
from harness.clock import FakeClock
from harness.intents import Zuora, call_context, intent_executor, intent_request, memory_store
from harness.keyring import KEYRING
from harness.routes import route
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.intents.intent_record import IntentRecord, encode_record
from payorch_server.model.errors import UpstreamEvidence
from payorch_server.store.port import MAX_VALUE_BYTES


def test_the_largest_request_fits_into_a_record() -> None:
    """A thousand invoices are one field of the fingerprint."""
    request = service_pb2.CreateSessionRequest(request_id="x" * 128)
    request.one_time_payment.account_id = "a" * 64
    for number in range(1000):
        request.one_time_payment.invoices.add(invoice_number=f"{number:0255}")
    for number in range(20):
        request.route.attributes[f"{number:064}"] = "v" * 128
    fingerprint = hashed(request, KEYRING).written
    record = IntentRecord(fingerprint, route(), "o" * 16, 0.0, 0.0, track_ids=("t" * 64,) * 10)

    assert len(encode_record(record)) < MAX_VALUE_BYTES / 2


@pytest.mark.asyncio
async def test_a_result_that_no_record_holds_is_answered_all_the_same() -> None:
    """Zuora executed it: the caller gets it, and the record keeps how it ended."""
    clock = FakeClock()
    store = memory_store(clock)
    zuora = Zuora(["x" * 70_000])
    one = intent_executor(clock, store=store)
    asked = intent_request(zuora.send, ids_of=lambda _value: UpstreamEvidence(payment_method_id="pm-1"))

    ended = await one.run(asked, call_context(clock))

    assert ended.value == "x" * 70_000
    record = await one.ledger.look_up(asked.key)
    assert record is not None
    assert record.settlement is not None
    assert (record.settlement.reason, record.settlement.payment_method_id) == ("", "pm-1")
