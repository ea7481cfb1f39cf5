"""The emulator's own endpoints below `/_emulator/upc`, and the one that moves its clock."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zuora_emulator.answers import MARKER, json_bytes
from zuora_emulator.clock import ClockNotAdjustableError, ManualClock, SystemClock
from zuora_emulator.hub_sends import MASK
from zuora_emulator.state import PaymentMethod
from zuora_emulator.upc import Upc
from zuora_emulator.upc_payments import new_refund, payment_json, refund_json
from zuora_emulator.upc_records import HubSend, Transaction, UpcPayment, UpcRefund
from zuora_emulator.world import World

_MOST_AT_ONCE = 100


class TriggerError(Exception):
    """A trigger cannot do what it was asked; the message is a sentence."""


async def advance(world: World, by: timedelta) -> None:
    """Set the clock forward, stopping wherever something is due by it, as if the time had passed.

    Raises:
        ClockNotAdjustableError: The clock is of another kind than `ManualClock` and `SystemClock`.
    """
    clock = world.clock
    end = clock.now() + by
    while (due := world.upc.next_due()) is not None and due <= end:
        _move(clock, max(due - clock.now(), timedelta()))
        await world.upc.run_due()
    _move(clock, max(end - clock.now(), timedelta()))
    world.upc.changed.set()


def _move(clock: Any, by: timedelta) -> None:
    match clock:
        case ManualClock():
            clock.advance(by)
        case SystemClock():
            clock.ahead += by
        case _:
            raise ClockNotAdjustableError("The clock is not the emulator's to move.")


def upc_routes(world: World) -> list[Route]:
    """Return the routes."""
    control = _Control(world)
    routes: Mapping[str, Callable[..., Any]] = {
        "/_emulator/clock": control.advance,
        "/_emulator/upc/payments": control.pay,
        "/_emulator/upc/payments/{id}/refunds": control.refund,
        "/_emulator/upc/payments/{id}/open": control.open,
        "/_emulator/upc/payments/{id}/send": control.send,
        "/_emulator/upc/refunds/{id}/open": control.open,
        "/_emulator/upc/refunds/{id}/send": control.send,
    }
    posts = [Route(path, _answering(endpoint), methods=["POST"]) for path, endpoint in routes.items()]
    return [Route("/_emulator/upc", control.show, methods=["GET"]), *posts]


def _answering(endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """Answer what a trigger cannot do with 400 and a sentence."""

    async def answering(request: Request) -> Response:
        try:
            return _json(200, await endpoint(request))
        except (TriggerError, ClockNotAdjustableError) as problem:
            return _json(400, {"message": str(problem)})

    return answering


class _Control:
    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def _upc(self) -> Upc:
        return self._world.upc

    async def show(self, _request: Request) -> Response:
        upc = self._upc
        methods = upc.state.payment_methods.values()
        body = {
            "types": [asdict(custom) | {"full_name": custom.full_name} for custom in upc.configuration.types],
            "gateways": [asdict(gateway) | {"password": MASK} for gateway in upc.configuration.gateways],
            "methods": [_method_json(method) for method in methods if method.token_data],
            "payments": [_payment_json(upc, payment) for payment in upc.state.upc_payments.values()],
            "refunds": [_refund_json(upc, refund) for refund in upc.state.upc_refunds.values()],
            "sends": [_send_json(send) for send in upc.sends.entries],
            "next_due": _time(upc.next_due()),
        }
        return _json(200, body)

    async def advance(self, request: Request) -> Any:
        """Take `{"seconds": 3600}`."""
        seconds = (await _body(request)).get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
            raise TriggerError('The body must be like {"seconds": 3600}.')
        await advance(self._world, timedelta(seconds=seconds))
        return {"now": _time(self._world.clock.now()), "next_due": _time(self._upc.next_due())}

    async def pay(self, request: Request) -> Any:
        """Take `{"amount": "12.50"}`, and `payment_method_id` unless it is the newest method of a custom type."""
        body, upc = await _body(request), self._upc
        method = _named_method(upc, body.get("payment_method_id"))
        account = upc.state.accounts[method.account_id or ""]
        gateway = upc.gateway_for(None, account=account, tenant=method.tenant, entity=method.entity)
        if gateway is None:
            raise TriggerError("The entity of the payment method has no gateway that calls a hub.")
        payment = UpcPayment(
            **upc.new_names("P"),
            tenant=method.tenant,
            entity=method.entity,
            account_id=account.id,
            method_id=method.id,
            gateway_id=gateway.id,
            amount=_amount(body),
            currency=account.currency,
        )
        await upc.pay(payment)
        return _payment_json(upc, payment)

    async def refund(self, request: Request) -> Any:
        """Take `{"amount": "2.50"}`."""
        payment, amount = self._transaction(request), _amount(await _body(request))
        assert isinstance(payment, UpcPayment)
        if amount > self._upc.paid_and_unrefunded(payment):
            raise TriggerError("The refund exceeds the unapplied amount of the payment.")
        refund = new_refund(self._upc, payment, amount=amount)
        await self._upc.refund(refund)
        return _refund_json(self._upc, refund)

    async def open(self, request: Request) -> Any:
        transaction = self._transaction(request)
        await self._upc.open(transaction)
        return self._transaction_json(transaction)

    async def send(self, request: Request) -> Any:
        """Take `{"times": 2, "at_once": true}`; a body without members sends once."""
        transaction, body = self._transaction(request), await _body(request)
        times = body.get("times", 1)
        if isinstance(times, bool) or not isinstance(times, int) or not 1 <= times <= _MOST_AT_ONCE:
            raise TriggerError(f"times must be a whole number from 1 to {_MOST_AT_ONCE}.")
        if body.get("at_once") is True:
            await self._upc.send_at_once(transaction, times=times)
        else:
            for _ in range(times):
                await self._upc.send(transaction, "asked for")
        return self._transaction_json(transaction)

    def _transaction(self, request: Request) -> Transaction:
        state, key = self._upc.state, request.path_params["id"]
        known: Mapping[str, Transaction] = (
            state.upc_payments if "/upc/payments/" in request.url.path else state.upc_refunds
        )
        for transaction in known.values():
            if key in {transaction.id, transaction.number}:
                return transaction
        raise TriggerError(f"There is nothing with the id or number {key}.")

    def _transaction_json(self, transaction: Transaction) -> Any:
        if isinstance(transaction, UpcRefund):
            return _refund_json(self._upc, transaction)
        assert isinstance(transaction, UpcPayment)
        return _payment_json(self._upc, transaction)


async def _body(request: Request) -> Mapping[str, Any]:
    raw = await request.body()
    try:
        body = msgspec.json.decode(raw or b"{}")
    except msgspec.DecodeError:
        body = None
    if not isinstance(body, dict):
        raise TriggerError("The body must be a JSON object.")
    return body


def _amount(body: Mapping[str, Any]) -> Decimal:
    try:
        amount = Decimal(str(body.get("amount")))
    except InvalidOperation:
        raise TriggerError('The body must have an amount as text, like {"amount": "12.50"}.') from None
    if not amount.is_finite() or amount <= 0:
        raise TriggerError("The amount must be greater than 0.")
    return amount


def _named_method(upc: Upc, key: Any) -> PaymentMethod:
    methods = [
        method for method in upc.state.payment_methods.values() if upc.type_of(method.type) and method.account_id
    ]
    for method in reversed(methods):
        if key is None or method.id == key:
            return method
    raise TriggerError("There is no such payment method of a custom type that belongs to an account.")


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


def _json(status: int, value: Any) -> Response:
    return Response(json_bytes(value), status_code=status, headers=dict([MARKER]), media_type="application/json")
