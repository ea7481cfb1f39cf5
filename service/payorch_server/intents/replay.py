"""The recorded end of an intent, as the answer to a later call."""

import dataclasses
from typing import TypeVar

from payorch_server.intents.intent import IntentRequest, IntentResult, unreadable
from payorch_server.intents.intent_record import (
    IntentRecord,
    IntentRecordUnreadable,
    Settlement,
    decode_result,
    evidence_of,
    existing,
    opened_at,
    reason_of,
)
from payorch_server.model.attempt import UpstreamFacts
from payorch_server.model.errors import Failure, call_error, error_for
from payorch_server.model.outcome import Reason
from payorch_server.store.keyring import Keyring, SealBroken, SealKeyGone

T = TypeVar("T")


def replay(
    request: IntentRequest[T], record: IntentRecord, settlement: Settlement, *, keyring: Keyring, now_s: float
) -> IntentResult[T]:
    """Return the recorded success of an intent.

    Args:
        request: The intent.
        record: Of the intent.
        settlement: Its recorded end.
        keyring: Unseals results.
        now_s: Unix time.

    Raises:
        CallError: It failed, or its success is too old or can no longer be read.
    """
    facts = UpstreamFacts(
        zuora_request_id=settlement.zuora_request_id,
        zuora_process_id=settlement.zuora_process_id,
        echoed_track_id=settlement.executed_track_id,
    )
    # 1. It failed.
    if reason := reason_of(settlement):
        raise error_for(Failure(reason, "recorded earlier", evidence=evidence_of(settlement), facts=facts))
    # 2. It succeeded too long ago for its result to be of use.
    age_s, limit_s = now_s - settlement.settled_at_s, request.operation.stale_after_s
    if limit_s is not None and age_s > limit_s:
        raise call_error(Reason.SESSION_STALE, f"settled {age_s:.0f} s ago", maxAgeSeconds=str(int(limit_s)))
    # 3. It succeeded, and its result can be read, or the key that sealed it is gone, or it was changed.
    try:
        clear = keyring.unseal(settlement.key_id, settlement.sealed_result, purpose=request.key)
        value = decode_result(clear, request.operation.result_type)
    except SealKeyGone as error:
        detail, ids = f"its result cannot be read: {error}", existing(settlement)
        raise error_for(Failure(Reason.INTENT_EXPIRED, detail, evidence=ids, facts=facts)) from error
    except (SealBroken, IntentRecordUnreadable) as error:
        failure = unreadable(error, request).failure
        raise error_for(dataclasses.replace(failure, evidence=existing(settlement), facts=facts)) from error
    return IntentResult(value, record.route, facts, opened_at(record), replayed=True)
