"""Encodes results as messages."""

from collections.abc import Mapping
from typing import Any, Final

from payorch.v1 import call_pb2, payment_method_result_pb2, routing_pb2, session_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2

from payorch_server.intents.intent_record import IntentStatus, opened_at
from payorch_server.model.attempt import CallReport, UpstreamPreview
from payorch_server.model.money import Amount
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route
from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - the token goes on the wire here
from payorch_server.rpc.status import outcome_of, recorded_outcome
from payorch_server.usecases.decrypt_apple_pay import amounts_agree
from payorch_server.usecases.dispatcher import CallResult
from payorch_server.zuora.resources.decryption import DecryptionResult
from payorch_server.zuora.resources.payment_methods import CreatedPaymentMethod

_REPLAY: Final = {True: call_pb2.REPLAY_YES, False: call_pb2.REPLAY_NO, None: call_pb2.REPLAY_NOT_KNOWN}
_METHOD_FIELDS: Final = {
    "card": "card_summary",
    "last_4": "last4",
    "mandate": "mandate_state",
    "bank_account": "bank_account_summary",
    "paypal": "paypal_summary",
}
"""Fields of PaymentMethod whose names differ from the view's. Views keep their names: results sealed in the store have
them."""


def encode_create_session(result: CallResult[Secret[str]]) -> service_pb2.CreateSessionResponse:
    """Return the response."""
    response = service_pb2.CreateSessionResponse(
        call=call_of(result.report), upstream_request=preview_of(result.preview)
    )
    if result.value is not None:
        response.session.CopyFrom(session_pb2.Session(token=reveal(result.value)))
    return response


def call_of(report: CallReport) -> call_pb2.CallInfo:
    """Return the CallInfo of a call."""
    route, facts = report.route, report.facts
    info = call_pb2.CallInfo(
        track_id=report.track_id,
        executed_track_id=facts.echoed_track_id,
        zuora_request_id=facts.zuora_request_id,
        matched_rule=route.rule,
        policy_hash=route.policy_hash,
        attempt_count=len(facts.attempts),
        replayed=_REPLAY[report.replayed] if report.first_sent_at else call_pb2.REPLAY_UNSPECIFIED,
        zuora_process_id=facts.zuora_process_id,
        route_taken=route_taken(route),
    )
    if report.first_sent_at is not None:
        info.first_send_time.FromDatetime(report.first_sent_at)
    return info


def route_taken(route: Route) -> routing_pb2.RouteTaken:
    """Return the route that a call took."""
    return routing_pb2.RouteTaken(
        tenant=route.tenant,
        host=route.host,
        entity=route.entity,
        entity_id=route.entity_id,
        orgs=route.orgs,
        org_ids=route.org_ids,
        gateway=route.gateway.name,
    )


def preview_of(preview: UpstreamPreview | None) -> call_pb2.UpstreamRequest | None:
    """Return the request that would be sent."""
    if preview is None:
        return None
    return call_pb2.UpstreamRequest(
        method=preview.method, uri=preview.url, headers=dict(preview.headers), body=preview.body
    )


def encode_decrypt_apple_pay(
    result: CallResult[DecryptionResult], expected: Amount | None
) -> service_pb2.DecryptApplePayResponse:
    """Return the response; Zuora's amount is compared with the expected one."""
    response = service_pb2.DecryptApplePayResponse(
        call=call_of(result.report), upstream_request=preview_of(result.preview)
    )
    if result.value is not None:
        response.payment_method_id = result.value.payment_method_id
        response.payment_id, response.reported_amount = result.value.payment_id, result.value.amount
        response.amount_check = _amount_check(expected, result.value.amount)
    return response


def _amount_check(expected: Amount | None, reported: str) -> Any:
    if expected is None:
        return service_pb2.AMOUNT_CHECK_UNSPECIFIED
    agree = amounts_agree(expected, reported)
    if agree is None:
        return service_pb2.AMOUNT_CHECK_NOT_REPORTED
    return service_pb2.AMOUNT_CHECK_EQUAL if agree else service_pb2.AMOUNT_CHECK_DIFFERENT


def encode_create_payment_method(result: CallResult[CreatedPaymentMethod]) -> service_pb2.CreatePaymentMethodResponse:
    """Return the response."""
    return service_pb2.CreatePaymentMethodResponse(
        payment_method=payment_method_result_pb2.PaymentMethod(**_method_fields(result.value.view))
        if result.value
        else None,
        call=call_of(result.report),
        upstream_request=preview_of(result.preview),
    )


def _method_fields(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return a view with the field names of payorch.v1.PaymentMethod, nested messages included."""
    return {
        _METHOD_FIELDS.get(name, name): _method_fields(value) if isinstance(value, Mapping) else value
        for name, value in view.items()
    }


def encode_unreadable_intent(*, rpc: str) -> service_pb2.GetIntentResponse:
    """Return what is known of an RPC's intent whose record is there and cannot be read."""
    return service_pb2.GetIntentResponse(call_outcome=outcome_of(Reason.INTENT_RECORD_UNREADABLE, rpc=rpc))


def encode_intent(status: IntentStatus | None, *, rpc: str) -> service_pb2.GetIntentResponse:
    """Return the response for an RPC's intent; None: there is no record of it."""
    if status is None:
        return service_pb2.GetIntentResponse(intent_state=service_pb2.INTENT_STATE_NOT_FOUND)
    record, in_flight = status.record, status.in_flight
    response = service_pb2.GetIntentResponse(
        intent_state=service_pb2.INTENT_STATE_IN_FLIGHT if in_flight else service_pb2.INTENT_STATE_SETTLED,
        track_ids=record.track_ids,
        call_outcome=None if in_flight else recorded_outcome(status, rpc=rpc),
    )
    response.first_send_time.FromDatetime(opened_at(record))
    settlement = record.settlement
    if settlement is not None:
        response.zuora_request_ids.extend(filter(None, [settlement.zuora_request_id]))
        response.zuora_process_ids.extend(filter(None, [settlement.zuora_process_id]))
        if settlement.payment_method_id or settlement.payment_id:
            response.existing.payment_method_id = settlement.payment_method_id
            response.existing.payment_id = settlement.payment_id
    return response
