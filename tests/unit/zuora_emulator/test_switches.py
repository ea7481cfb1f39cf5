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
