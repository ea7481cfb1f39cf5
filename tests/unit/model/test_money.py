from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.model.money import EXPONENTS, Amount, amount_of, problem_with_amount
from zuora_emulator.currency import BY_CODE

INT64_MAX = 2**63 - 1


class TestAmountOf:
    """The three members of google.type.Money become one exact decimal."""

    @pytest.mark.parametrize(
        ("currency", "units", "nanos", "expected", "reason"),
        [
            ("EUR", 12, 340_000_000, "12.34", "two decimals"),
            ("EUR", 12, 0, "12.00", "as many decimals as the currency has, also when they are zero"),
            ("JPY", 500, 0, "500", "no decimals"),
            ("BHD", 1, 5_000_000, "1.005", "three decimals"),
            ("CLF", 0, 100_000, "0.0001", "four decimals"),
            ("EUR", 0, 10_000_000, "0.01", "below one unit"),
            ("EUR", -1, -500_000_000, "-1.50", "negative in both members"),
            ("EUR", 0, -10_000_000, "-0.01", "negative below one unit"),
            ("EUR", INT64_MAX, 990_000_000, "9223372036854775807.99", "the largest, to the last digit"),
        ],
    )
    def test_is_exact(self, currency: str, units: int, nanos: int, expected: str, reason: str) -> None:
        """No digit is lost or invented."""
        amount = amount_of(currency=currency, units=units, nanos=nanos)

        assert (str(amount.value), amount.currency) == (expected, currency), reason

    @given(st.sampled_from(sorted(EXPONENTS)), st.integers(-INT64_MAX, INT64_MAX), st.data())
    def test_loses_nothing(self, currency: str, units: int, data: st.DataObject) -> None:
        """Whatever passes the check comes back to the same members."""
        step = 10 ** (9 - EXPONENTS[currency])
        nanos = data.draw(st.integers(0, 10**9 // step - 1)) * step * (-1 if units < 0 else 1)

        problem = problem_with_amount(currency=currency, units=units, nanos=nanos)
        amount = amount_of(currency=currency, units=units, nanos=nanos)

        assert problem is None
        scaled = int(str(amount.value).replace(".", "")) * step
        assert scaled == units * 10**9 + nanos
        assert amount == Amount(Decimal(str(amount.value)), currency)


class TestProblemWithAmount:
    """What is no amount is named by the member that is wrong."""

    @pytest.mark.parametrize(
        ("currency", "units", "nanos", "expected", "reason"),
        [
            ("EUR", 1, 990_000_000, None, "a rightful amount"),
            ("EUR", 0, 500_000_000, None, "less than one unit"),
            ("EUR", 0, -500_000_000, None, "less than one unit, negative"),
            ("EUR", 0, 0, None, "zero is an amount; whether it is allowed is the field's rule"),
            ("XXX", 1, 0, ("currency_code", "currency.iso4217"), "no currency"),
            ("eur", 1, 0, ("currency_code", "currency.iso4217"), "lower case"),
            ("", 1, 0, ("currency_code", "currency.iso4217"), "none"),
            ("HRK", 1, 0, ("currency_code", "currency.iso4217"), "withdrawn in 2023"),
            ("EUR", 1, 5_000_000, ("nanos", "money.exponent"), "half a cent"),
            ("JPY", 1, 500_000_000, ("nanos", "money.exponent"), "half a yen"),
            ("EUR", 1, -10_000_000, ("nanos", "money.nanos"), "signs differ"),
            ("EUR", -1, 10_000_000, ("nanos", "money.nanos"), "signs differ the other way round"),
            ("EUR", 0, 1_000_000_000, ("nanos", "money.nanos"), "a whole unit in nanos"),
            ("EUR", 0, -1_000_000_000, ("nanos", "money.nanos"), "a whole negative unit in nanos"),
            ("EUR", -1, -5_000_000, ("nanos", "money.exponent"), "a negative half cent"),
        ],
    )
    def test_names_the_member(
        self, currency: str, units: int, nanos: int, expected: tuple[str, str] | None, reason: str
    ) -> None:
        """The member and the rule are what the caller sees."""
        problem = problem_with_amount(currency=currency, units=units, nanos=nanos)

        assert (problem and (problem.member, problem.rule)) == expected, reason


class TestExponents:
    """The table is ISO 4217's."""

    def test_agrees_with_the_emulators_own_table(self) -> None:
        """Two lists that were written apart name the same decimals."""
        theirs = {code: currency.exponent for code, currency in BY_CODE.items()}

        assert {code: EXPONENTS.get(code) for code in theirs} == theirs

    @pytest.mark.parametrize(
        ("code", "exponent"), [("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("CLP", 0), ("ISK", 0)]
    )
    def test_knows_well_known_decimals(self, code: str, exponent: int) -> None:
        """Spot checks against the standard."""
        assert EXPONENTS[code] == exponent
