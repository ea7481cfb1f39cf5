import pytest
from payorch_server.zuora.response_headers import header_fields


class TestHeaderFields:
    """A field with one value may arrive twice."""

    @pytest.mark.parametrize(
        "name", ["retry-after", "ratelimit-reset", "ratelimit-remaining", "zuora-request-id", "content-type", "date"]
    )
    def test_takes_equal_values_for_one(self, name: str) -> None:
        """Two proxies write the same line."""
        assert header_fields([(name.encode(), b"2"), (name.title().encode(), b" 2")]) == {name: "2"}

    @pytest.mark.parametrize(
        ("name", "values", "expected", "reason"),
        [
            ("retry-after", ["2", "30"], "30", "the longest wait"),
            ("retry-after", ["30", "9"], "30", "by magnitude"),
            ("retry-after", ["2, 2"], "2", "a proxy has joined them"),
            ("retry-after", ["2", "soon"], "2", "the one that can be read"),
            ("ratelimit-reset", ["010", "9"], "010", "by magnitude, with zeros in front"),
            ("ratelimit-remaining", ["5", "40"], "5", "the smallest remainder"),
            ("concurrency-limit-remaining", ["0", "3"], "0", "the smallest remainder"),
            ("zuora-request-id", ["a", "b"], "", "neither names this answer for certain"),
            ("zuora-track-id", ["a", "b"], "", "neither does"),
            ("content-type", ["text/html", "application/json"], "", "they contradict each other"),
            ("date", ["Thu, 26 Nov 2026 00:00:00 GMT", "Thu, 26 Nov 2026 00:01:00 GMT"], "", "so do dates"),
            ("date", ["Thu, 26 Nov 2026 00:00:00 GMT"], "Thu, 26 Nov 2026 00:00:00 GMT", "one with its comma"),
            ("ratelimit-limit", ["50000", "50000;w=60"], "50000, 50000;w=60", "a list stays a list"),
            ("content-encoding", ["gzip", "gzip"], "gzip, gzip", "each coding was applied"),
        ],
    )
    def test_takes_the_safe_one_of_different_values(
        self, name: str, values: list[str], expected: str, reason: str
    ) -> None:
        """Nothing becomes more certain, and no wait shorter."""
        assert header_fields([(name.encode(), value.encode()) for value in values]) == {name: expected}, reason
