"""What Zuora asks of the hub."""

import json
from collections.abc import Iterator
from decimal import Decimal

from harness.upc_bodies import EXAMPLES, full
from payorch_server.model.secret import reveal  # noqa: TID251 - to look inside
from payorch_server.upc.hub_decode import decode, names_in
from payorch_server.upc.request import Defect, HubRequest, Refund, UnusableRequest, Validation, idempotency_key

from fuzz.hard_json import hard_json
from fuzz.target import CANARY, Target, note, require


def run(data: bytes) -> None:
    """Decode a body; what names it is the same whether it is acted on or refused."""
    request, names = decode(data), names_in(data)
    require(decode(data) == request, "equal bodies are equal requests")
    require(names.defect is Defect.NOT_READ or not names.names, "what cannot be read has no name")
    if isinstance(request, UnusableRequest):
        note(request.defect, request.member)
        require(CANARY not in request.member, "a path is ours")
        return
    note(request.method.token_data, request.gateway_options, request.other_members)
    if request.name is None:
        require(isinstance(request.subject, Validation) and names.is_validation, "only a validation has no name")
    else:
        require(names.names == (request.name,), "a refused request has the name of the accepted one")
        require(len(idempotency_key(request.name)) == 45, "a key has 45 characters")
    _check_amount(request)
    require(not reveal(request.other_members) or json.loads(reveal(request.other_members)), "the rest is an object")


def _check_amount(request: HubRequest) -> None:
    subject = request.subject
    if isinstance(subject, Validation):
        amount = subject.auth_amount.value if subject.auth_amount else Decimal(0)
    else:
        amount = subject.amount if isinstance(subject, Refund) else subject.amount.value
        require(amount > 0, "a payment or refund has an amount")
    require(0 <= amount <= 2**63 - 1 and -9 <= int(amount.as_tuple().exponent) <= 0, "an amount fits a Money")


def _seeds() -> Iterator[bytes]:
    for operation in ("Validate", "Payment", "Refund"):
        yield json.dumps(full(operation), separators=(",", ":")).encode()
        marked = full(operation)
        marked["paymentMethod"] |= {"upcTokenData": json.dumps({"token": CANARY, CANARY: 1e5}), CANARY: CANARY}
        marked[CANARY] = {CANARY: [CANARY]}
        yield json.dumps(marked).encode()
    yield b"\xef\xbb\xbf" + json.dumps(EXAMPLES[0]["request"]).encode()
    yield b'{"operation":"Payment","tenantId":"1","payment":{"id":"a","id":"\\ud800","amount":1e2}}'
    yield from hard_json()


TARGET = Target(
    "hub_request",
    run,
    _seeds,
    covers=("upc.hub_json", "upc.hub_members", "upc.hub_decode", "upc.request", "model.money"),
    words=(
        *('"operation":', '"Payment"', '"Refund"', '"Validate"', '"tenantId":', '"id":', '"payment":', '"refund":'),
        *('"amount":', '"currency":', '"upcTokenData":', '"gatewayOptions":', "1E-9", "9223372036854775807", "null"),
        *("\\u0000", "\\ud83d\\ude00", "\\udfff", "JPY", "{", "[", "1e9999", "-0"),
    ),
    max_bytes=8192,
)
