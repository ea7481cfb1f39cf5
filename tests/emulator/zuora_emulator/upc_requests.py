"""The bodies that Zuora sends to a payment hub, as on its page of examples: no spaces, members in alphabetical order.

Sure, because shown there: the members of the three requests, amounts as text, token data as an object in which a field
without a value is `""`, no `paymentMethod.id` in a Validate. The tables beside it say otherwise on amounts (number) and
on `paymentMethod.id` (mandatory); both are switches. Not sure: the names of Level 2 members, which are ours.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from zuora_emulator.settings import Settings
from zuora_emulator.state import Account, PaymentMethod
from zuora_emulator.upc_records import UpcPayment, UpcRefund

_encoder = msgspec.json.Encoder(decimal_format="number", order="sorted")


class HubRequests:
    """Writes requests.

    Args:
        settings: The switches.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def validation(
        self,
        *,
        tenant_id: str,
        gateway_name: str,
        method: PaymentMethod,
        account: Account | None,
        auth_amount: Decimal,
        currency: str | None,
        gateway_options: Mapping[str, str],
    ) -> bytes:
        """Return the body of a Validate."""
        method_object = self._method(method) | {"authAmount": self._amount(auth_amount)}
        if currency:
            method_object["currency"] = currency
        if not self._settings.upc_validate_method_id:
            del method_object["id"]
        frame = self._frame("Validate", tenant_id, gateway_name, account, gateway_options)
        return _encoder.encode(frame | {"paymentMethod": method_object})

    def payment(
        self, payment: UpcPayment, *, tenant_id: str, gateway_name: str, method: PaymentMethod, account: Account
    ) -> bytes:
        """Return the body of a Payment."""
        frame = self._frame("Payment", tenant_id, gateway_name, account, payment.gateway_options)
        members = {
            "id": payment.id,
            "paymentNumber": payment.number,
            "amount": self._amount(payment.amount),
            "currency": payment.currency,
            **_descriptors(payment),
        }
        return _encoder.encode(frame | {"payment": members, "paymentMethod": self._method(method)})

    def refund(
        self, refund: UpcRefund, *, tenant_id: str, gateway_name: str, method: PaymentMethod, account: Account,
        reference_id: str,
    ) -> bytes:  # fmt: skip
        """Return the body of a Refund; `reference_id` is the gateway's id of the payment."""
        frame = self._frame("Refund", tenant_id, gateway_name, account, refund.gateway_options)
        members = {
            "id": refund.id,
            "refundNumber": refund.number,
            "amount": self._amount(refund.amount),
            "paymentId": refund.payment_id,
            "referenceId": reference_id,
            **_descriptors(refund),
        }
        return _encoder.encode(frame | {"refund": members, "paymentMethod": self._method(method)})

    def _frame(
        self,
        operation: str,
        tenant_id: str,
        gateway_name: str,
        account: Account | None,
        gateway_options: Mapping[str, str],
    ) -> dict[str, Any]:
        frame: dict[str, Any] = {"operation": operation, "paymentGatewayName": gateway_name, "tenantId": tenant_id}
        if account is not None:
            frame["billingAccount"] = {"accountNumber": account.number, "currency": account.currency}
        if gateway_options:
            frame["gatewayOptions"] = dict(gateway_options)
        if self._settings.upc_level_2_data and operation == "Payment":
            frame["level2Data"] = {"shipFromPostalCode": "94401", "taxAmount": Decimal("1.10")}
        return frame

    def _method(self, method: PaymentMethod) -> dict[str, Any]:
        tokens: Any = dict(method.token_data)
        if self._settings.upc_token_data == "string":
            tokens = _encoder.encode(tokens).decode()
        return {"id": method.id, "type": method.type, "upcTokenData": tokens}

    def _amount(self, amount: Decimal) -> str | Decimal:
        return amount if self._settings.upc_amounts == "number" else format(amount, "f")


def _descriptors(transaction: UpcPayment | UpcRefund) -> dict[str, str]:
    members = {
        "softDescriptor": transaction.soft_descriptor,
        "softDescriptorPhone": transaction.soft_descriptor_phone,
    }
    return {name: value for name, value in members.items() if value}
