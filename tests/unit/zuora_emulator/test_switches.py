from dataclasses import asdict

import pytest
from zuora_emulator.settings import Settings, SwitchError


class TestSwitchesFromWords:
    """What a command line or a scenario says."""

    def test_are_read_as_what_they_mean(self) -> None:
        """Booleans, numbers and `none` are written as words."""
        settings = Settings()

        settings.switch(
            {
                "decline_payments": "true",
                "missing_entity": "first",
                "concurrency_limit": "none",
                "token_limit_per_minute": "7",
            }
        )

        assert settings == Settings(
            decline_payments=True, missing_entity="first", concurrency_limit=None, token_limit_per_minute=7
        )

    def test_name_all_switches_beside_a_wrong_one(self) -> None:
        """So that a reader finds the right one."""
        with pytest.raises(SwitchError, match=r"there are accept_invoices_without_payment, .*v2_honours_org_ids"):
            Settings().switch({"nonsense": "1"})

    def test_refuse_numbers_that_no_call_could_use(self) -> None:
        """Every number is at least 0, and every length of time ends in a year that exists."""
        numbers = [name for name, value in asdict(Settings()).items() if type(value) is int]
        times = [name for name in numbers if name.endswith(("_seconds", "_minutes", "_days"))]

        refused = [name for name in numbers if is_refused(name, "-1")]
        too_long = [name for name in times if is_refused(name, "99999999999999")]

        assert refused == numbers
        assert too_long == times != []


def is_refused(name: str, value: str) -> bool:
    """Whether a switch does not have the value."""
    try:
        Settings().switch({name: value})
    except SwitchError:
        return True
    return False
