"""What a certification must have moved, so that people can compare it with the provider's account."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2

from payorch_server.commands.certification_trial import APPROVED, Conversation, Exchange, amount_of


@dataclass(frozen=True, slots=True)
class MovedMoney:
    """Approved payments or refunds in a currency, each key once."""

    kind: str
    """`payments` or `refunds`."""
    currency: str
    count: int
    amount: str
    """Sum of them, as decimal text."""

    def __str__(self) -> str:
        return f"{self.kind} in {self.currency}: {self.count}, sum {self.amount}"


def moved_money(conversation: Conversation) -> list[MovedMoney]:
    """Return what moved according to the plug-in: under every key that it once said was approved."""
    sums: dict[tuple[str, str], list[Decimal]] = {}
    for kind, currency, amount in _approved([*conversation.exchanges, *conversation.look_ups]):
        sums.setdefault((kind, currency), []).append(amount)
    return [
        MovedMoney(kind, currency, len(amounts), f"{sum(amounts):f}")
        for (kind, currency), amounts in sorted(sums.items())
    ]


def _approved(exchanges: Iterable[Exchange]) -> Iterator[tuple[str, str, Decimal]]:
    first: dict[str, Exchange] = {}
    for exchange in exchanges:
        if exchange.reply.result == APPROVED:
            first.setdefault(exchange.request.call.idempotency_key, exchange)
    currencies = _currencies(first)
    for exchange in first.values():
        request = exchange.request
        if isinstance(request, gateway_pb2.ProcessPaymentRequest):
            yield "payments", request.amount.currency_code, amount_of(request)
        elif isinstance(request, gateway_pb2.ProcessRefundRequest):
            yield "refunds", currencies.get(request.payment_idempotency_key, "?"), Decimal(request.amount)


def _currencies(first: Mapping[str, Exchange]) -> Mapping[str, str]:
    """Return the currencies of payments by key."""
    return {
        key: exchange.request.amount.currency_code
        for key, exchange in first.items()
        if isinstance(exchange.request, gateway_pb2.ProcessPaymentRequest)
    }
