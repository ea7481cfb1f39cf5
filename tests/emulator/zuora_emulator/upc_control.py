"""The emulator's own endpoints below `/_emulator/upc`."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request

from zuora_emulator.control_base import ControlError, Endpoint, read_body
from zuora_emulator.currency import problem_of_amount
from zuora_emulator.hub_sends import MASK
from zuora_emulator.payment_answers import payment_json, refund_json
from zuora_emulator.state import PaymentMethod
from zuora_emulator.upc import Upc
from zuora_emulator.upc_payments import new_refund
from zuora_emulator.upc_records import HubSend, Transaction, UpcPayment, UpcRefund
from zuora_emulator.world import World

_MOST_AT_ONCE = 100


def upc_endpoints(world: World) -> list[Endpoint]:
    """Return the endpoints."""
    control = _Control(world)
    base = "/_emulator/upc"
    send = 'send it to the hub now, whatever its status: {"times": 2, "at_once": true}'
    return [
        Endpoint("GET", base, "list types, gateways, methods, payments, refunds and every send to a hub", control.show),
        Endpoint("POST", f"{base}/payments", 'pay {"amount": "12.50"} with the newest custom method', control.pay),
        Endpoint("POST", f"{base}/payments/{{id}}/refunds", 'refund {"amount": "2.50"}', control.refund),
        Endpoint("POST", f"{base}/payments/{{id}}/open", "open its page: asks the hub in Processing", control.open),
        Endpoint("POST", f"{base}/payments/{{id}}/send", send, control.send),
        Endpoint("POST", f"{base}/refunds/{{id}}/open", "open its page: asks the hub in Processing", control.open),
        Endpoint("POST", f"{base}/refunds/{{id}}/send", send, control.send),
    ]


class _Control:
    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def _upc(self) -> Upc:
        return self._world.upc

    async def show(self, _request: Request) -> Any:
        upc = self._upc
        methods = upc.state.payment_methods.values()
        return {
            "types": [asdict(custom) | {"full_name": custom.full_name} for custom in upc.configuration.types],
            "gateways": [asdict(gateway) | {"password": MASK} for gateway in upc.configuration.gateways],
            "methods": [_method_json(method) for method in methods if method.token_data],
            "payments": [_payment_json(upc, payment) for payment in upc.state.upc_payments.values()],
            "refunds": [_refund_json(upc, refund) for refund in upc.state.upc_refunds.values()],
            "sends": [_send_json(send) for send in upc.sends.entries],
            "next_due": _time(upc.next_due()),
        }

    async def pay(self, request: Request) -> Any:
        """Take `{"amount": "12.50"}`, and `payment_method_id` unless it is the newest method of a custom type."""
        body, upc = await read_body(request), self._upc
        method = _named_method(upc, body.get("payment_method_id"))
        account = upc.state.accounts[method.account_id or ""]
        gateway = upc.gateway_for(None, account=account, tenant=method.tenant, entity=method.entity)
        if gateway is None:
            raise ControlError("The entity of the payment method has no gateway that calls a hub.")
        payment = UpcPayment(
            **upc.new_names("P"),
            tenant=method.tenant,
            entity=method.entity,
            account_id=account.id,
            method_id=method.id,
            gateway_id=gateway.id,
            amount=_amount(body, account.currency),
            currency=account.currency,
        )
        await upc.pay(payment)
        return _payment_json(upc, payment)

    async def refund(self, request: Request) -> Any:
        """Take `{"amount": "2.50"}`."""
        payment, body = self._transaction(request), await read_body(request)
        assert isinstance(payment, UpcPayment)
        amount = _amount(body, payment.currency)
        if amount > self._upc.paid_and_unrefunded(payment):
            raise ControlError("The refund exceeds the unapplied amount of the payment.")
        refund = new_refund(self._upc, payment, amount=amount)
        await self._upc.refund(refund)
        return _refund_json(self._upc, refund)

    async def open(self, request: Request) -> Any:
        transaction = self._transaction(request)
        await self._upc.open(transaction)
        return self._transaction_json(transaction)

    async def send(self, request: Request) -> Any:
        """Take `{"times": 2, "at_once": true}`; a body without members sends once."""
        transaction, body = self._transaction(request), await read_body(request)
        times = body.get("times", 1)
        if isinstance(times, bool) or not isinstance(times, int) or not 1 <= times <= _MOST_AT_ONCE:
            raise ControlError(f"times must be a whole number from 1 to {_MOST_AT_ONCE}.")
        if body.get("at_once") is True:
            await self._upc.send_at_once(transaction, times=times)
        else:
            for _ in range(times):
                await self._upc.send(transaction, "asked for")
        return self._transaction_json(transaction)

    def _transaction(self, request: Request) -> Transaction:
        state, key = self._upc.state, request.path_params["id"]
        known: Mapping[str, Transaction] = (
            state.upc_payments if "/upc/payments/" in request.scope["path"] else state.upc_refunds
        )
        for transaction in known.values():
            if key in {transaction.id, transaction.number} and self._upc.calls_hub(transaction):
                return transaction
        raise ControlError(f"There is nothing with the id or number {key} at a gateway that calls a hub.")

    def _transaction_json(self, transaction: Transaction) -> Any:
        if isinstance(transaction, UpcRefund):
            return _refund_json(self._upc, transaction)
        assert isinstance(transaction, UpcPayment)
        return _payment_json(self._upc, transaction)


def _amount(body: Mapping[str, Any], currency: str) -> Decimal:
    try:
        amount = Decimal(str(body.get("amount")))
    except InvalidOperation:
        raise ControlError('The body must have an amount as text, like {"amount": "12.50"}.') from None
    if problem := problem_of_amount(amount, currency=currency):
        raise ControlError(problem)
    return amount


def _named_method(upc: Upc, key: Any) -> PaymentMethod:
    methods = [
        method for method in upc.state.payment_methods.values() if upc.type_of(method.type) and method.account_id
    ]
    for method in reversed(methods):
        if key is None or method.id == key:
            return method
    raise ControlError("There is no such payment method of a custom type that belongs to an account.")


def _method_json(method: PaymentMethod) -> dict[str, Any]:
    return {
        "id": method.id,
        "type": method.type,
        "tenant": method.tenant,
        "entity": method.entity,
        "account": method.account_id,
        "token_data": {name: MASK if value != "" else "" for name, value in method.token_data.items()},
    }


def _payment_json(upc: Upc, payment: UpcPayment) -> dict[str, Any]:
    retries = {"attempt": payment.attempt, "retry_of": payment.retry_of, "retry_at": _time(payment.retry_at)}
    return payment_json(upc, payment) | _sends_json(payment) | retries


def _refund_json(upc: Upc, refund: UpcRefund) -> dict[str, Any]:
    return refund_json(upc, refund) | _sends_json(refund)


def _sends_json(transaction: Transaction) -> dict[str, Any]:
    return {"sends": transaction.sends, "next_send_at": _time(transaction.next_send_at)}


def _send_json(send: HubSend) -> dict[str, Any]:
    return asdict(send) | {"time": _time(send.time)}


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
