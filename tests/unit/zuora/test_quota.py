import pytest
from payorch_server.zuora.quota import CONCURRENCY, RATE, Quota


def headers(left: int, reset_s: int = 60) -> dict[str, str]:
    """Make the headers of an answer."""
    return {
        "ratelimit-limit": "50000, 50000;w=60, 2250000;w=3600",
        "ratelimit-remaining": str(left),
        "ratelimit-reset": str(reset_s),
    }


class TestQuota:
    """What Zuora's answers say of its limits."""

    def test_tells_what_was_heard_last(self) -> None:
        """Of each limit and tenant; an answer that says nothing changes nothing."""
        quota = Quota()
        quota.update("acme", headers(100) | {"concurrency-limit-remaining": "39"}, now_s=0.0)
        quota.update("acme", {}, now_s=1.0)
        quota.update("solo", headers(7), now_s=1.0)

        expected = {("acme", RATE): 100.0, ("acme", CONCURRENCY): 39.0, ("solo", RATE): 7.0}
        assert expected == quota.left(now_s=2.0)

    def test_foresees_the_end_at_a_steady_pace(self) -> None:
        """Ten requests a second leave nothing of five hundred in fifty seconds."""
        quota = Quota()
        for minute in range(5):
            quota.update("acme", headers(2900 - 600 * minute, reset_s=3600), now_s=60.0 * minute)

        assert {("acme", RATE): pytest.approx(50.0)} == quota.exhaustion_s(now_s=240.0)

    def test_foresees_nothing_where_the_limit_starts_anew_before(self) -> None:
        """What is left suffices until then."""
        quota = Quota()
        for minute in range(5):
            quota.update("acme", headers(2900 - 600 * minute, reset_s=20), now_s=60.0 * minute)

        assert {} == quota.exhaustion_s(now_s=240.0)

    def test_keeps_its_pace_when_the_limit_starts_anew(self) -> None:
        """More is left than before: that is no use of a negative amount."""
        quota = Quota()
        quota.update("acme", headers(100, reset_s=600), now_s=0.0)
        quota.update("acme", headers(40, reset_s=540), now_s=60.0)
        quota.update("acme", headers(1000, reset_s=3600), now_s=61.0)

        assert {("acme", RATE): pytest.approx(1000.0)} == quota.exhaustion_s(now_s=61.0)

    @pytest.mark.parametrize("text", ["", "many", "-1", "٣", "1.5"])
    def test_ignores_what_is_no_number(self, text: str) -> None:
        """A proxy may write anything."""
        quota = Quota()

        quota.update("acme", {"ratelimit-remaining": text}, now_s=0.0)

        assert {} == quota.left(now_s=0.0)

    def test_forgets_what_was_heard_long_ago(self) -> None:
        """A burst must not page for ever."""
        quota = Quota()
        quota.update("acme", headers(1000, reset_s=60), now_s=0.0)
        quota.update("acme", headers(100, reset_s=30), now_s=30.0)

        assert {("acme", RATE)} == set(quota.exhaustion_s(now_s=31.0))
        assert ({}, {}) == (quota.exhaustion_s(now_s=60.0), quota.left(now_s=60.0))
