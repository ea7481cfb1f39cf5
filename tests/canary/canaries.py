"""Requests in which every sensitive field holds a value that exists nowhere else."""

import json
import random
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor
from google.protobuf.message import Message
from harness.requests import MERCHANT_ID, minted_token
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import sensitivity_pb2
from payorch_server.model.sensitive_text import scrub_text
from payorch_server.rpc.decode_payment_method import further_violations
from zuora_emulator import seed

from canary.rules import Text, rules_of, text_for

LEAST_FREEDOM = 6
UNRECOGNISABLE = {
    "payorch.v1.Card.expiry_month": "a number up to 12",
    "payorch.v1.Card.expiry_year": "a number of two free digits",
    "payorch.v1.Card.security_code": "three or four digits",
    "payorch.v1.CardReferenceCard.expiry_month": "a number up to 12",
    "payorch.v1.CardReferenceCard.expiry_year": "a number of two free digits",
    "payorch.v1.CardSummary.expiry_month": "a number up to 12",
    "payorch.v1.CardSummary.expiry_year": "a number of two free digits",
    "payorch.v1.CustomFieldValue.flag": "true or false",
}
"""Sensitive fields whose values are too short to be told from others, with the reason."""
PLAIN = {
    "payorch.v1.AccountById.id": seed.ACCOUNT_US.id,
    "payorch.v1.AccountByNumber.number": seed.ACCOUNT_US.number,
    "payorch.v1.AdyenApplePay.merchant_id": MERCHANT_ID,
    "payorch.v1.ApplePay.merchant_id": MERCHANT_ID,
    "payorch.v1.CreatePaymentMethodRequest.currency_code": "USD",
    "payorch.v1.CustomMethod.type": f"Canary__c_{seed.TENANT}",
    "payorch.v1.DecryptApplePayRequest.account_id": seed.ACCOUNT_US.id,
    "payorch.v1.DecryptApplePayRequest.merchant_id": MERCHANT_ID,
    "payorch.v1.GetIntentRequest.operation": service_pb2.OPERATION_CREATE_SESSION,
    "payorch.v1.OneTimePayment.account_id": seed.ACCOUNT_US.id,
    "payorch.v1.PayAndStore.account_id": seed.ACCOUNT_US.id,
    "payorch.v1.PayInvoice.invoice": seed.INVOICE_US_LARGE.number,
    "payorch.v1.StoreOnly.account_id": seed.ACCOUNT_US.id,
    "google.type.Money.currency_code": "USD",
    "google.type.Money.units": 12,
    "google.type.Money.nanos": 340_000_000,
}
"""Values of plain fields that name something at the emulator."""
LEFT_OUT = {
    "payorch.v1.CreatePaymentMethodRequest.selection": "a choice of fields of the answer, which shall be whole",
    "payorch.v1.CreateSessionRequest.route": "hints would have to name what the policy knows",
    "payorch.v1.CreatePaymentMethodRequest.route": "the same",
    "payorch.v1.DecryptApplePayRequest.route": "the same",
    "payorch.v1.OneTimePayment.invoices": "their balances would have to make up the amount",
    "payorch.v1.PayAndStore.invoices": "the same",
    "payorch.v1.CreateSessionRequest.validate_only": "a path of its own",
    "payorch.v1.CreatePaymentMethodRequest.validate_only": "the same",
    "payorch.v1.DecryptApplePayRequest.validate_only": "the same",
}
"""Plain fields that are not set."""
USUAL_ARMS = {"account_by_id"}
"""Arms that are taken, instead of the first ones, where no arm is asked for: who pays needs an account."""
SERVICE = service_pb2.DESCRIPTOR.services_by_name["PaymentOrchestrationService"]
GATEWAY = gateway_pb2.DESCRIPTOR.services_by_name["PaymentGatewayService"]
"""What the hub calls; its messages hold what Zuora sent."""


@dataclass(frozen=True, slots=True)
class Canary:
    """A value that must be found nowhere."""

    where: str
    """Full name of the field, or what else it is."""
    value: str


@dataclass(frozen=True, slots=True)
class Planted:
    """A valid request with its canaries."""

    rpc: str
    arm: str
    """Names of the chosen arms."""
    request: Any
    canaries: tuple[Canary, ...]


@dataclass(slots=True)
class Planter:
    """Fills messages by their descriptors; equal seeds give equal values."""

    rng: random.Random
    arms: frozenset[str] = frozenset()
    """Which arms of oneofs to take; the first where none of them is one."""
    canaries: list[Canary] = field(default_factory=list)
    unrecognisable: set[str] = field(default_factory=set)

    def fill(self, message: Any, *, sensitive: bool = False) -> None:
        """Set every field."""
        for one in message.DESCRIPTOR.fields:
            oneof = one.containing_oneof
            if is_choice(oneof) and one.name != self._arm(oneof):
                continue
            if one.full_name not in LEFT_OUT:
                self._set(message, one, sensitive=sensitive or is_sensitive(one))

    def _arm(self, oneof: OneofDescriptor) -> str:
        names = [one.name for one in oneof.fields]
        wanted = [name for name in names if name in self.arms] or [name for name in names if name in USUAL_ARMS]
        return (wanted or names)[0]

    def _set(self, message: Any, one: FieldDescriptor, *, sensitive: bool) -> None:
        if one.message_type is not None and one.message_type.GetOptions().map_entry:
            self._set_entry(getattr(message, one.name), one, sensitive=sensitive)
        elif one.message_type is not None:
            child = getattr(message, one.name)
            child = child.add() if one.is_repeated else child
            child.SetInParent()
            self.fill(child, sensitive=sensitive)
        elif one.type == FieldDescriptor.TYPE_BYTES:
            setattr(message, one.name, self._token(one))
        elif one.is_repeated:
            getattr(message, one.name).append(self._scalar(one, sensitive=sensitive))
        else:
            setattr(message, one.name, self._scalar(one, sensitive=sensitive))

    def _set_entry(self, entries: Any, one: FieldDescriptor, *, sensitive: bool) -> None:
        # Names of custom fields end so at the operation that wants it, and may do so at the other. A custom type's own
        # fields have letters and digits alone.
        ending = "" if one.full_name == "payorch.v1.CustomMethod.fields" else "__c"
        key = "".join(self.rng.choices(string.ascii_lowercase, k=16)) + ending
        if sensitive:
            self.canaries.append(Canary(f"{one.full_name} (key)", key))
        value = one.message_type.fields_by_name["value"]
        if value.message_type is not None:
            self.fill(entries[key], sensitive=sensitive)
        else:
            entries[key] = self._text(f"{one.full_name} (value)", text_for(None, self.rng), sensitive=sensitive)

    def _scalar(self, one: FieldDescriptor, *, sensitive: bool) -> Any:
        if one.full_name in PLAIN:
            return PLAIN[one.full_name]
        if one.type == FieldDescriptor.TYPE_STRING:
            return self._text(one.full_name, text_for(rules_of(one), self.rng), sensitive=sensitive)
        if sensitive:
            self.unrecognisable.add(one.full_name)
        if one.type == FieldDescriptor.TYPE_BOOL:
            return False
        of_number: Any = rules_of(one).type
        least = getattr(of_number.value, "greater_than", None) if of_number else None
        return least.value if least else 7

    def _text(self, name: str, text: Text, *, sensitive: bool) -> str:
        if sensitive and text.freedom < LEAST_FREEDOM:
            self.unrecognisable.add(name)
        elif sensitive:
            self.canaries.append(Canary(name, text.value))
        return text.value

    def _token(self, one: FieldDescriptor) -> bytes:
        if "Apple" not in one.containing_type.name:
            message = "".join(self.rng.choices(string.ascii_letters, k=40))
            self.canaries.append(Canary(one.full_name, message))
            return json.dumps({"protocolVersion": "ECv2", "signedMessage": message}).encode()
        token = minted_token()
        data = json.loads(token)["paymentData"]
        header = data["header"]
        members = {"data": data["data"], "signature": data["signature"]} | {
            name: header[name] for name in ("ephemeralPublicKey", "transactionId")
        }
        # The beginning of a key is the same in all keys; the longest ones are cut somewhere in most places.
        self.canaries += [
            Canary(f"{one.full_name}.{name}", value[-120:-40] or value) for name, value in members.items()
        ]
        return token


def is_sensitive(one: FieldDescriptor) -> bool:
    """Tell whether a field is marked."""
    marked = one.GetOptions().Extensions[sensitivity_pb2.sensitivity]
    return bool(marked != sensitivity_pb2.SENSITIVITY_UNSPECIFIED)


def is_choice(oneof: OneofDescriptor | None) -> bool:
    """Tell a oneof that somebody wrote from one that `optional` makes."""
    return oneof is not None and len(oneof.fields) > 1


# Each run has canaries of its own: what an earlier test left in memory, without protection even, is not found again.
_SEEDS = count(1)


def planted_requests() -> Iterator[Planted]:
    """Make a request for each arm of each oneof of each RPC."""
    rng = random.Random(next(_SEEDS))  # noqa: S311 - repeatable, and no real secret
    for method in SERVICE.methods:
        for arms in choices(method.input_type):
            yield planted(method.name, arms, rng)


def choices(root: Descriptor) -> Iterator[frozenset[str]]:
    """Yield sets of arms so that each arm of each oneof is in one of them."""
    found: dict[frozenset[str], None] = {}
    _walk(root, frozenset(), found, ())
    yield from found or {frozenset(): None}


def _walk(
    message: Descriptor, arms: frozenset[str], found: dict[frozenset[str], None], above: tuple[Descriptor, ...]
) -> None:
    for one in message.fields:
        below = arms | {one.name} if is_choice(one.containing_oneof) else arms
        if below != arms:
            found[below] = None
        if one.message_type is not None and one.message_type not in above:
            _walk(one.message_type, below, found, (*above, message))


def planted(rpc: str, arms: frozenset[str], rng: random.Random) -> Planted:
    """Make a request whose canaries no scrubber knows by their form."""
    kind = SERVICE.methods_by_name[rpc].input_type._concrete_class
    while True:
        planter = Planter(rng, arms)
        request = kind()
        planter.fill(request)
        if all(scrub_text(canary.value) == canary.value for canary in planter.canaries):
            break
    canaries = planter.canaries
    if rpc == "CreatePaymentMethod":
        # The older operation knows fewer fields; what is not sent proves nothing.
        for violation in further_violations(request):
            request.ClearField(violation.field)
    return Planted(rpc, ".".join(sorted(arms)), request, tuple(canaries))


def planted_for_gateways() -> Iterator[tuple[Message, tuple[Canary, ...]]]:
    """Make each message between the hub and its gateways, with each arm of each oneof, and its canaries."""
    rng = random.Random(next(_SEEDS))  # noqa: S311 - repeatable, and no real secret
    for kind in (kind for method in GATEWAY.methods for kind in (method.input_type, method.output_type)):
        for arms in choices(kind):
            planter, message = Planter(rng, arms), kind._concrete_class()
            planter.fill(message)
            yield message, tuple(planter.canaries)


def unrecognisable_fields() -> set[str]:
    """List the sensitive fields, of requests and of responses, whose canaries could not be recognised."""
    found: set[str] = set()
    for method in (*SERVICE.methods, *GATEWAY.methods):
        for kind in (method.input_type, method.output_type):
            for arms in choices(kind):
                planter = Planter(random.Random(0), arms)  # noqa: S311 - no secret
                planter.fill(kind._concrete_class())
                found |= planter.unrecognisable
    return found


def planted_response(rpc: str, rng: random.Random) -> tuple[Message, tuple[Canary, ...]]:
    """Make a response of an RPC, every field set."""
    response = SERVICE.methods_by_name[rpc].output_type._concrete_class()
    planter = Planter(rng)
    planter.fill(response)
    return response, tuple(planter.canaries)


def named(values: Mapping[str, str]) -> tuple[Canary, ...]:
    """Make canaries of secrets that are in no message."""
    return tuple(Canary(where, value) for where, value in values.items())
