"""Encodes answers as Zuora reads them."""

from typing import Any, Final

import msgspec

from payorch_server.model.secret import reveal  # noqa: TID251 - the answer goes to Zuora
from payorch_server.upc.answers import Answer, HubAnswer
from payorch_server.upc.gateway_outcome import GatewayOutcome
from payorch_server.upc.request import FieldValue, JsonNumber, Operation, TokenData
from payorch_server.upc.settings import TokenDataForm

_JSON: Final = msgspec.json.Encoder()
_RETURN_TOKEN_DATA: Final = frozenset({Operation.VALIDATE, Operation.PAYMENT})


def encode_answer(answer: HubAnswer, *, operation: Operation | None, token_data_form: TokenDataForm) -> bytes:
    """Return the JSON body of an answer.

    A body with status 200 has Zuora's members only. The others have no `responseCode`, which Zuora would take for an
    answer of the gateway, and one constant text per situation.

    Args:
        answer: The answer.
        operation: Of the request; None if it is not known.
        token_data_form: Whether `upcTokenData` is a JSON string, as in Zuora's examples, or an object.
    """
    # 1. The hub's own refusal, or nothing is known.
    if answer.status != 200:  # noqa: PLR2004 - HTTP's number for success
        return _JSON.encode({"gatewayResponseMessage": answer.situation.value})
    # 2. The gateway was not called.
    if answer.outcome is None:
        return _JSON.encode({"responseCode": answer.answer.value, "gatewayResponseMessage": answer.situation.value})
    # 3. The gateway said it.
    body = _members(answer.answer, answer.outcome)
    changes = reveal(answer.outcome.token_data_changes)
    if changes and operation in _RETURN_TOKEN_DATA:
        plain = _plain(changes)
        as_object = token_data_form == "object"  # noqa: S105 - a form, no secret
        body["upcTokenData"] = plain if as_object else _JSON.encode(plain).decode()
    return _JSON.encode(body)


def _members(answer: Answer, outcome: GatewayOutcome) -> dict[str, Any]:
    members = {
        "gatewayResponseCode": outcome.code,
        "gatewayResponseMessage": outcome.message,
        "gatewayTransactionId": outcome.transaction_id,
        "gatewaySecondTransactionId": outcome.second_transaction_id,
    }
    return {"responseCode": answer.value, **{name: text for name, text in members.items() if text}}


def _plain(changes: TokenData) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in changes.items()}


def _plain_value(value: FieldValue) -> Any:
    return msgspec.Raw(value.text.encode()) if isinstance(value, JsonNumber) else value
