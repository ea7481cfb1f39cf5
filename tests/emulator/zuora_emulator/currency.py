"""ISO 4217 numbers and exponents of the currencies the emulator can charge.

Source: ISO 4217 list one, read 2026-11.
"""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Currency:
    """One currency: letters, number as Apple writes it, and how many decimals its amounts have."""

    code: str
    numeric: str
    exponent: int


_TABLE = """
AED 784 2, ARS 032 2, AUD 036 2, BHD 048 3, BRL 986 2, CAD 124 2, CHF 756 2, CLP 152 0, CNY 156 2,
COP 170 2, CZK 203 2, DKK 208 2, EGP 818 2, EUR 978 2, GBP 826 2, HKD 344 2, HUF 348 2, IDR 360 2, ILS 376 2,
INR 356 2, ISK 352 0, JOD 400 3, JPY 392 0, KRW 410 0, KWD 414 3, MAD 504 2, MXN 484 2, MYR 458 2, NOK 578 2,
NZD 554 2, OMR 512 3, PEN 604 2, PHP 608 2, PLN 985 2, PYG 600 0, QAR 634 2, RON 946 2, SAR 682 2, SEK 752 2,
SGD 702 2, THB 764 2, TND 788 3, TRY 949 2, TWD 901 2, UAH 980 2, UGX 800 0, USD 840 2, UYU 858 2, VND 704 0,
XAF 950 0, XOF 952 0, ZAR 710 2
"""
_ROWS = [Currency(code, numeric, int(exponent)) for code, numeric, exponent in map(str.split, _TABLE.split(","))]

BY_CODE = {row.code: row for row in _ROWS}
BY_NUMERIC = {row.numeric: row for row in _ROWS}

_USUAL_EXPONENT = 2
_MOST_DIGITS = 15


def exponent_of(code: str) -> int:
    """Return the decimals of a currency; two for one that the table does not hold."""
    return BY_CODE[code].exponent if code in BY_CODE else _USUAL_EXPONENT


def problem_of_amount(amount: Decimal, *, currency: str) -> str:
    """Return in a sentence why a person cannot mean an amount of a currency; empty if it is one."""
    if not amount.is_finite() or amount <= 0:
        return "The amount must be greater than 0."
    if amount.adjusted() >= _MOST_DIGITS:
        return f"The amount must have at most {_MOST_DIGITS} digits before the point."
    if not is_exact(amount=amount, currency=currency):
        return f"{currency} has {exponent_of(currency)} decimals; {amount} has more."
    return ""


def from_minor(*, amount_minor: int, currency: Currency) -> Decimal:
    """Return an amount of minor units (cents) as a decimal with the currency's number of places."""
    return Decimal(amount_minor).scaleb(-currency.exponent)


def is_exact(*, amount: Decimal, currency: str) -> bool:
    """Whether the amount has no more decimals than the currency, trailing zeros aside."""
    _, digits, exponent = amount.as_tuple()
    if not isinstance(exponent, int):
        return False
    # Not by arithmetic on decimals, which rounds to 28 digits.
    surplus = -exponent - exponent_of(currency)
    return surplus <= 0 or not any(digits[-surplus:])
