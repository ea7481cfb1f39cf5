"""Decodes what Zuora asks of the hub."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec

from payorch_server.model.money import EXPONENTS, Amount
from payorch_server.model.secret import Secret
from payorch_server.upc.hub_json import RawValue, Unusable, members_of, parse_body, text_of
from payorch_server.upc.hub_members import ID_CHARACTERS, TEXT_CHARACTERS, Members
from payorch_server.upc.request import (
    Account,
    CustomMethod,
    Defect,
    FieldValue,
    HubRequest,
    JsonNumber,
    Operation,
    Payment,
    Refund,
    RequestName,
    TokenData,
    UnusableRequest,
    Validation,
)

_SUBJECTS: Final = {Operation.PAYMENT: "payment", Operation.REFUND: "refund"}
# Sorted, so that the order of the members in a request makes no difference.
_JSON: Final = msgspec.json.Encoder(order="deterministic")

_Pairs: TypeAlias = list[tuple[str, RawValue]]


def decode(body: bytes) -> HubRequest | UnusableRequest:
    """Return the request in a body; never raises, whatever the body is.

    Amounts may be JSON texts or numbers; they and all other numbers stay exact. An optional member that is null
    counts as absent. Members that the operation does not use are handed on as they are.

    Args:
        body: At most 1 MiB of JSON in UTF-8, at most 16 levels deep; a byte order mark is allowed.

    Returns:
        UnusableRequest where it is no request of Zuora's, with what names it as far as that can be read.
    """
    try:
        members, is_whole = parse_body(body)
    except Unusable as error:
        return UnusableRequest(error.defect)
    try:
        return _request_of(members, is_whole=is_whole)
    except Unusable as error:
        names, is_validation = _names_of(members)
        return UnusableRequest(error.defect, error.member, names, is_validation)


def names_in(body: bytes) -> UnusableRequest:
    """Return what names the request in a body and nothing else, for a caller that is refused; never raises."""
    try:
        members, _ = parse_body(body)
    except Unusable as error:
        return UnusableRequest(error.defect)
    names, is_validation = _names_of(members)
    return UnusableRequest(Defect.NOT_READ, "", names, is_validation)


def _request_of(members: _Pairs, *, is_whole: bool) -> HubRequest:
    if not is_whole:
        raise Unusable(Defect.MEMBER_INVALID)
    root = Members(members)
    operation = _operation_of(root.take_text("operation"))
    account_members = root.take_object("billingAccount") or Members([])
    account = Account(
        account_members.take_optional("accountNumber"),
        account_members.take_optional("currency", most=ID_CHARACTERS),
    )
    method_members = root.take_object("paymentMethod")
    if method_members is None:
        raise root.missing("paymentMethod")
    method = _method_of(method_members)
    parts = {"billingAccount": account_members, "paymentMethod": method_members}
    subject: Validation | Payment | Refund
    if operation is Operation.VALIDATE:
        subject = _validation_of(method_members, account)
    else:
        name = _SUBJECTS[operation]
        subject_members = root.take_object(name)
        if subject_members is None:
            raise root.missing(name)
        subject = (_payment_of if operation is Operation.PAYMENT else _refund_of)(subject_members)
        parts[name] = subject_members
    return HubRequest(
        tenant_id=root.take_text("tenantId"),
        gateway_name=root.take_text("paymentGatewayName", most=TEXT_CHARACTERS),
        method=method,
        subject=subject,
        account=account,
        gateway_options=Secret(_options_of(root.take_object("gatewayOptions"))),
        other_members=Secret(_others_of(root, parts)),
    )


def _operation_of(text: str) -> Operation:
    try:
        return Operation(text)
    except ValueError:
        raise Unusable(Defect.OPERATION_UNKNOWN, "operation") from None


def _method_of(members: Members) -> CustomMethod:
    fields = members.take_object("upcTokenData", also_as_text=True)
    token_data: TokenData = fields.fields() if fields else {}
    return CustomMethod(
        members.take_optional("id", most=ID_CHARACTERS),
        members.take_text("type", most=TEXT_CHARACTERS),
        Secret(token_data),
    )


def _validation_of(members: Members, account: Account) -> Validation:
    value = members.take_number("authAmount")
    currency = members.take_optional("currency") or account.currency
    if value is None:
        return Validation(None)
    if not currency:
        raise members.missing("currency")
    return Validation(_amount_of(members, "authAmount", value, currency))


def _payment_of(members: Members) -> Payment:
    currency = members.take_text("currency")
    amount = _amount_of(members, "amount", _positive(members, "amount"), currency)
    return Payment(
        id=members.take_text("id"),
        number=members.take_text("paymentNumber"),
        amount=amount,
        soft_descriptor=members.take_optional("softDescriptor"),
        soft_descriptor_phone=members.take_optional("softDescriptorPhone"),
    )


def _refund_of(members: Members) -> Refund:
    return Refund(
        id=members.take_text("id"),
        number=members.take_text("refundNumber"),
        amount=_positive(members, "amount"),
        payment_id=members.take_text("paymentId"),
        reference_id=members.take_optional("referenceId"),
        soft_descriptor=members.take_optional("softDescriptor"),
        soft_descriptor_phone=members.take_optional("softDescriptorPhone"),
    )


def _positive(members: Members, name: str) -> Decimal:
    value = members.take_number(name)
    if value is None:
        raise members.missing(name)
    if not value:
        raise members.invalid(name)
    return value


def _amount_of(members: Members, name: str, value: Decimal, currency: str) -> Amount:
    decimals = EXPONENTS.get(currency)
    if decimals is None:
        raise members.invalid("currency")
    exact = value.quantize(Decimal(1).scaleb(-decimals))
    if exact != value:
        raise members.invalid(name)
    return Amount(exact, currency)


def _options_of(members: Members | None) -> Mapping[str, str]:
    fields = members.fields() if members else {}
    return {name: _as_text(value) for name, value in fields.items() if value is not None}


def _as_text(value: FieldValue) -> str:
    match value:
        case JsonNumber(text) | str(text):
            return text
        case _:
            return "true" if value else "false"


def _others_of(root: Members, parts: Mapping[str, Members]) -> bytes:
    others: dict[str, Any] = _verbatim(root)
    others |= {name: rest for name, members in parts.items() if (rest := _verbatim(members))}
    return _JSON.encode(others) if others else b""


def _verbatim(members: Members) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(value) for name, value in members}


def _names_of(members: _Pairs) -> tuple[tuple[RequestName, ...], bool]:
    """Return what the request may be a send of, and whether it is certainly a validation."""
    tenant_id = _only(members, "tenantId")
    word = _only(members, "operation")
    if word == Operation.VALIDATE:
        return (), True
    if tenant_id is None:
        return (), False
    wanted = [operation for operation in _SUBJECTS if word == operation] or list(_SUBJECTS)
    ids = [(operation, _only(members, _SUBJECTS[operation], "id")) for operation in wanted]
    return tuple(RequestName(tenant_id, operation, found) for operation, found in ids if found is not None), False


def _only(members: _Pairs, *path: str) -> str | None:
    """Return the id at a path; None where none can be read, or where it occurs with several values."""
    found = set(_readings(members, *path))
    return found.pop() if len(found) == 1 else None


def _readings(members: _Pairs, name: str, *below: str) -> Iterator[str | None]:
    """Yield each value at a path; None for one that is no id."""
    for value in (value for known, value in members if known == name):
        if not below:
            yield text_of(value, most=ID_CHARACTERS) or None
            continue
        try:
            yield from _readings(members_of(value), *below)
        except Unusable:
            yield None
