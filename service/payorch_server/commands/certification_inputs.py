"""What a plug-in's authors name for its certification: fields and amounts with which their provider's tests end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch.v1 import payment_method_pb2

from payorch_server.config import read_yaml
from payorch_server.model import CommandError
from payorch_server.model.money import EXPONENTS

APPROVE: Final = "approve"
DECLINE: Final = "decline"
PENDING: Final = "pending"
SLOW: Final = "slow"
ERROR: Final = "error"
SECTIONS: Final = (APPROVE, DECLINE, PENDING, SLOW, ERROR)
"""Sections of the file that name fields of a payment method."""
_AMOUNTS: Final = "amounts"
_USUAL_MINOR_UNITS: Final = {0: 1099, 2: 1099, 3: 10125}

Fields = Mapping[str, payment_method_pb2.CustomFieldValue]
"""Token data by field."""


class CertificationError(CommandError):
    """Wrong usage, or a plug-in that cannot be reached."""

    exit_status = 2


@dataclass(frozen=True, slots=True)
class CertificationInputs:
    """The magic values of a plug-in."""

    fields: Mapping[str, Fields] = field(default_factory=dict)
    """By section: token data with which the provider approves, declines, and so on."""
    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    """By section, or by currency for approvals."""

    def amount(self, section: str, currency: str) -> Decimal:
        """Return what to charge in a currency for an end such as `approve`."""
        usual = Decimal(_USUAL_MINOR_UNITS.get(EXPONENTS[currency], 1099)).scaleb(-EXPONENTS[currency])
        named = self.amounts.get(section, self.amounts.get(currency))
        return usual if named is None else named


def read_inputs(path: Path) -> CertificationInputs:
    """Return the magic values in a YAML or JSON file.

    Raises:
        ConfigError: The file cannot be read, or is not YAML.
        CertificationError: A value cannot be used.
    """
    content = read_yaml(path)
    if not isinstance(content, dict) or APPROVE not in content:
        raise CertificationError(f"{path}: must be a mapping with the member {APPROVE}")
    if unknown := sorted(str(name) for name in content if name not in {*SECTIONS, _AMOUNTS}):
        raise CertificationError(f"{path}: {', '.join(unknown)}: is none of {', '.join((*SECTIONS, _AMOUNTS))}")
    fields = {name: _fields(f"{path}: {name}", content[name]) for name in SECTIONS if name in content}
    return CertificationInputs(fields, _amounts(f"{path}: {_AMOUNTS}", content.get(_AMOUNTS, {})))


def _fields(where: str, content: Any) -> Fields:
    if not isinstance(content, dict) or not content:
        raise CertificationError(f"{where}: must be a mapping from fields to values")
    return {str(name): _field_value(f"{where}.{name}", value) for name, value in content.items()}


def _field_value(where: str, value: Any) -> payment_method_pb2.CustomFieldValue:
    match value:
        case bool():
            return payment_method_pb2.CustomFieldValue(flag=value)
        case str():
            return payment_method_pb2.CustomFieldValue(text=value)
        case int() | float():
            return payment_method_pb2.CustomFieldValue(decimal=f"{Decimal(str(value)):f}")
        case None:
            return payment_method_pb2.CustomFieldValue(null_value=payment_method_pb2.CustomFieldNull())
        case _:
            raise CertificationError(f"{where}: must be a text, a number, true, false or null")


def _amounts(where: str, content: Any) -> Mapping[str, Decimal]:
    if not isinstance(content, dict):
        raise CertificationError(f"{where}: must be a mapping from currencies or sections to amounts")
    if unknown := sorted(str(name) for name in content if name not in {*SECTIONS, *EXPONENTS}):
        raise CertificationError(f"{where}: {', '.join(unknown)}: is no currency and none of {', '.join(SECTIONS)}")
    return {name: _amount(f"{where}.{name}", value, currency=name) for name, value in content.items()}


def _amount(where: str, value: Any, *, currency: str) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal(0)
    if isinstance(value, bool) or not amount.is_finite() or amount <= 0:
        raise CertificationError(f"{where}: must be an amount such as '10.99'")
    if amount != round(amount, EXPONENTS.get(currency, max(EXPONENTS.values()))):
        raise CertificationError(f"{where}: has more decimals than {currency}")
    return amount


def usable_currency(description: gateway_pb2.DescribeGatewayResponse, *, decimals: int, usual: str) -> str:
    """Return a currency with so many decimals that the gateway takes; empty where it takes none.

    Args:
        description: What the gateway says of itself.
        decimals: Of the currency.
        usual: What is taken if the gateway allows it.
    """
    allowed = [code for code in description.currencies if EXPONENTS.get(code) == decimals]
    if not description.currencies or usual in allowed:
        return usual
    return allowed[0] if allowed else ""
