"""Amounts go both ways exactly; tokens are passed on as they came."""

import re
from decimal import Decimal, localcontext

import pytest
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st
from payorch import apple_pay_token, decimal_of, money

amounts = st.decimals(min_value=-(10**15), max_value=10**15, places=9, allow_nan=False, allow_infinity=False)


@given(amounts)
def test_amount_survives_both_ways(amount: Decimal) -> None:
    """No digit is lost or made."""
    assert amount == decimal_of(money(amount, "USD"))


@pytest.mark.parametrize(
    ("amount", "units", "nanos"),
    [
        ("100.10", 100, 100_000_000),
        ("-0.5", 0, -500_000_000),
        (7, 7, 0),
        (Decimal("1E3"), 1000, 0),
        ("0.0000000010", 0, 1),
        ("9223372036854775807", 2**63 - 1, 0),
    ],
)
def test_amount_is_units_and_nanos(amount: Decimal | int | str, units: int, nanos: int) -> None:
    """Both have the sign of the amount."""
    assert Money(currency_code="EUR", units=units, nanos=nanos) == money(amount, "EUR")


@pytest.mark.parametrize(
    ("amount", "problem"),
    [
        ("0.0000000001", "amount: 0.0000000001 has more than 9 decimals"),
        ("NaN", "amount: NaN is not a finite number"),
        ("-Infinity", "amount: -Infinity is not a finite number"),
        ("9223372036854775808", "amount: 9223372036854775808 has more digits than fit"),
        ("1e999999", "amount: 1e999999 has more digits than fit"),
        ("1e-999999", "amount: 1e-999999 has more than 9 decimals"),
        ("ten", "amount: ten is not a number"),
        ("1_0", "amount: 1_0 is not a number"),
        (" 10", "amount:  10 is not a number"),
        ("\N{ARABIC-INDIC DIGIT ONE}0", "amount: \N{ARABIC-INDIC DIGIT ONE}0 is not a number"),
    ],
)
def test_amount_that_does_not_fit_is_refused(amount: str, problem: str) -> None:
    """By name, and at once."""
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        money(amount, "USD")


def test_float_is_refused() -> None:
    """A tenth is not one in binary."""
    with pytest.raises(TypeError, match="a float is not exact"):
        money(0.1, "USD")  # type: ignore[arg-type] # the mistake


@pytest.mark.parametrize("text", ["12.5", "100", "-0.000000001", "0", "-7.1", "9223372036854775807.999999999", "1200"])
def test_amount_has_no_needless_zeros(text: str) -> None:
    """Whatever the precision of the caller's arithmetic."""
    with localcontext(prec=3):
        assert text == f"{decimal_of(money(text, 'USD')):f}"


@pytest.mark.parametrize("currency", ["usd", "US", "USDT", "", "U$D"])
def test_currency_is_a_code(currency: str) -> None:
    """A typing error is found at once."""
    with pytest.raises(ValueError, match=r"^currency: "):
        money("1", currency)


def test_nothing_is_no_amount() -> None:
    """The error says what is."""
    with pytest.raises(TypeError, match="amount: a Decimal, an int or a text is needed, not a NoneType"):
        money(None, "USD")  # type: ignore[arg-type] # the mistake


@pytest.mark.parametrize("text", ['{"data": "x",  "data": "y"}', '{"paymentData":{"data":"x"}}', "{}"])
def test_token_text_is_passed_on_as_it_is(text: str) -> None:
    """Also a duplicate member, which the service has to see to refuse it."""
    assert text.encode() == apple_pay_token(text) == apple_pay_token(text.encode())


@pytest.mark.parametrize("token", [{"token": {"data": "x"}, "billingContact": {}}, {"data": "x"}])
def test_token_of_a_mapping_is_written(token: dict[str, object]) -> None:
    """A whole payment gives its token."""
    assert b'{"data":"x"}' == apple_pay_token(token)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("4111 1111 1111 1111", "token: it is not JSON"),
        ("[" * 100_000, "token: it is not JSON"),
        ('{"data": "\ud800"}', "token: it is not JSON"),
        ("[]", "token: it is not a JSON object"),
        ('{"token": {}}', "token: this is the whole payment; pass its member `token`"),
    ],
)
def test_token_that_is_none_is_refused_without_quoting_it(text: str, problem: str) -> None:
    """Whatever it holds goes into no message and no cause."""
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$") as caught:
        apple_pay_token(text)

    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
