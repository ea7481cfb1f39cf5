"""Settings are safe by their types."""

import typing
from dataclasses import MISSING

import pytest
from harness.settings_fields import Setting, hub_settings, settings

ALL = [*settings(), *hub_settings()]
NUMBERS = [setting for setting in ALL if setting.is_numeric]
PLAIN = {bool, str}


class TestSettings:
    """Every setting of the service and of the hub."""

    def test_are_found(self) -> None:
        """In sections, tenants, rules and optional parts."""
        found = {str(setting) for setting in ALL}

        assert {
            "grpc.max_deadline_s",
            "identity.jwt.NAME.clock_skew_s",
            "telemetry.sampling.ratio",
            "tenants.NAME.max_in_flight",
            "tenants.NAME.gateways.NAME.id",
            "routing.INDEX.when.amount.min",
            "access.callers.INDEX.tenants.NAME.entities.INDEX",
            "upc.hubs.NAME.credentials.INDEX.user",
            "upc.gateways.NAME.limit_s",
        } <= found

    @pytest.mark.parametrize("setting", ALL, ids=str)
    def test_are_numbers_with_one_range_or_plain(self, setting: Setting) -> None:
        """`int` and `float` alone would accept 0, -1, nan and infinity; so would types that hide a number."""
        is_choice = typing.get_origin(setting.kind) is typing.Literal

        assert len(setting.ranges) == (1 if setting.is_numeric else 0)
        assert setting.is_numeric or is_choice or setting.kind in PLAIN, setting.kind

    @pytest.mark.parametrize("setting", NUMBERS, ids=str)
    def test_have_a_default_within_the_range(self, setting: Setting) -> None:
        """The reader does not check defaults."""
        (limits,) = setting.ranges

        assert limits.at_least < limits.at_most
        assert setting.default is MISSING or limits.at_least <= setting.default <= limits.at_most
