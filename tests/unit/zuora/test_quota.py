import pytest
from payorch_server.zuora.quota import CONCURRENCY, RATE, LimitReading, Quota


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
        quota.update(("acme", ""), headers(100) | {"concurrency-limit-remaining": "39"}, now_s=0.0)
        quota.update(("acme", ""), {}, now_s=1.0)
        quota.update(("solo", ""), headers(7), now_s=1.0)

        expected = {("acme", RATE): 100.0, ("acme", CONCURRENCY): 39.0, ("solo", RATE): 7.0}
        assert expected == quota.left(now_s=2.0)

    def test_keeps_for_five_minutes_what_has_no_end(self) -> None:
        """Zuora does not say when the limit of concurrent requests starts again."""
        quota = Quota()
        quota.update(("acme", ""), {"concurrency-limit-remaining": "39"}, now_s=1000.0)

        assert {("acme", CONCURRENCY): 39.0} == quota.left(now_s=1300.0)
        assert {} == quota.left(now_s=1300.5)

    @pytest.mark.parametrize("text", ["", "many", "-1", "٣", "1.5"])
    def test_ignores_what_is_no_number(self, text: str) -> None:
        """A proxy may write anything."""
        quota = Quota()

        quota.update(("acme", ""), {"ratelimit-remaining": text}, now_s=0.0)

        assert {} == quota.left(now_s=0.0)

    def test_forgets_what_was_heard_long_ago(self) -> None:
        """A burst must not page for ever."""
        quota = Quota()
        quota.update(("acme", ""), {"ratelimit-remaining": "100"}, now_s=0.0)

        assert {("acme", RATE): 100.0} == quota.left(now_s=300.0)
        assert {} == quota.left(now_s=300.1)

    def test_forgets_what_a_new_window_replaces(self) -> None:
        """What was left of the window before is left no more."""
        quota = Quota()
        quota.update(("acme", ""), headers(1000, reset_s=60), now_s=0.0)
        quota.update(("acme", ""), headers(100, reset_s=30), now_s=30.0)

        assert {("acme", RATE): 100.0} == quota.left(now_s=59.9)
        assert {} == quota.left(now_s=60.0)

    def test_counts_the_entity_that_has_least_left(self) -> None:
        """Zuora may count for each entity, and any of them can be used up."""
        quota = Quota()
        quota.update(("acme", "us"), headers(100), now_s=0.0)
        quota.update(("acme", "eu"), headers(5), now_s=1.0)
        quota.update(("acme", "uk"), headers(70), now_s=2.0)

        assert {("acme", RATE): 5.0} == quota.left(now_s=3.0)

    def test_has_the_last_reading_of_each_entity(self) -> None:
        """As its headers said; what they did not say is not known."""
        quota = Quota()
        quota.update(("acme", "us"), headers(100), now_s=0.0)
        quota.update(("acme", "us"), {"concurrency-limit-remaining": "39"}, now_s=1.0)

        assert LimitReading(100.0, 0.0, 50_000.0, 60.0) == quota.of(("acme", "us"), RATE, now_s=2.0)
        assert LimitReading(39.0, 1.0, None, None) == quota.of(("acme", "us"), CONCURRENCY, now_s=2.0)
        assert quota.of(("acme", "eu"), RATE, now_s=2.0) is None
        assert quota.of(("acme", "us"), RATE, now_s=60.0) is None

    def test_forgets_a_window_that_ends_at_once(self) -> None:
        """A reset of 0 seconds says that the window has ended."""
        quota = Quota()
        quota.update(("acme", ""), headers(100, reset_s=0), now_s=1.0)

        assert {} == quota.left(now_s=1.0)
