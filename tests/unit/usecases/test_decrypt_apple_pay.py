from decimal import Decimal

import pytest
from payorch_server.model.money import Amount
from payorch_server.usecases.decrypt_apple_pay import amounts_agree


class TestAmountsAgree:
    """Zuora reports the amount as text without a currency."""

    @pytest.mark.parametrize(
        ("reported", "expected", "reason"),
        [
            ("42.50", True, "the same digits"),
            ("42.5", True, "trailing zeros do not count"),
            ("42.500", True, "nor do further ones"),
            ("4.25E1", True, "nor does notation"),
            ("42.51", False, "a cent more"),
            ("-42.50", False, "another sign"),
            ("0", False, "nothing"),
            ("", None, "not reported"),
            ("about 42", None, "no number"),
            ("NaN", False, "not a number equals nothing"),
            ("sNaN", None, "a number that cannot even be compared"),
            ("Infinity", False, "no finite amount"),
        ],
    )
    def test_compares_as_numbers(self, reported: str, *, expected: bool | None, reason: str) -> None:
        """None when there is nothing to compare."""
        assert amounts_agree(Amount(Decimal("42.50"), "EUR"), reported) is expected, reason
