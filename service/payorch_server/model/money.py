"""Amounts of money, exact, and the currencies of ISO 4217."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_NANOS_PER_UNIT: Final = 9

# ISO 4217, active currencies by number of decimals. Source: ISO 4217 list one (SIX), as of 2026.
_BY_EXPONENT: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF "
        "CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG "
        "HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR "
        "MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD "
        "SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG "
        "YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS: Final = {code: exponent for exponent, codes in _BY_EXPONENT.items() for code in codes.split()}
"""Decimals of each currency: `EXPONENTS["JPY"] == 0`."""


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of money, exact; the value carries as many decimals as its currency has."""

    value: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class AmountProblem:
    """What is wrong with an amount, and in which member of it."""

    member: str
    rule: str
    description: str


def problem_with_amount(*, currency: str, units: int, nanos: int) -> AmountProblem | None:
    """Return what keeps google.type.Money's three members from being an amount, or None.

    Args:
        currency: ISO 4217 code.
        units: Whole units.
        nanos: Billionths, -999,999,999 to 999,999,999, with the sign of units.
    """
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        return AmountProblem("currency_code", "currency.iso4217", "must be an active ISO 4217 code such as EUR")
    if abs(nanos) >= 10**_NANOS_PER_UNIT or (units > 0 > nanos) or (units < 0 < nanos):
        return AmountProblem("nanos", "money.nanos", "must lie within one unit and have the sign of units")
    if nanos % 10 ** (_NANOS_PER_UNIT - exponent):
        return AmountProblem("nanos", "money.exponent", f"has more decimals than {currency}, which has {exponent}")
    return None


def amount_of(*, currency: str, units: int, nanos: int) -> Amount:
    """Return the amount; the members have passed problem_with_amount."""
    exponent = EXPONENTS[currency]
    minor = units * 10**exponent + nanos // 10 ** (_NANOS_PER_UNIT - exponent)
    return Amount(Decimal(minor).scaleb(-exponent), currency)
