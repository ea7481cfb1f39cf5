from datetime import UTC, datetime

import pytest
from payorch_server.intents.intent_record import minted_at


class TestMintedAt:
    """Only a UUIDv7 says when it was made."""

    @pytest.mark.parametrize(
        ("request_id", "reason"),
        [
            ("017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "RFC 9562, appendix A.6"),
            ("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", "capitals"),
            ("017f22e279b07cc398c4dc0c0c07398f", "without hyphens"),
        ],
    )
    def test_reads_the_published_example(self, request_id: str, reason: str) -> None:
        """Its moment is given in the RFC."""
        assert minted_at(request_id) == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC), reason

    @pytest.mark.parametrize(
        ("request_id", "reason"),
        [
            ("919108f7-52d1-4320-9bac-f847db4148a8", "version 4"),
            ("1ec9414c-232a-6b00-b3c8-9f6bdeced846", "version 6"),
            ("order-4711-attempt-1", "no UUID"),
            ("x" * 128, "the longest"),
            ("017f22e2-79b0-7cc3-c8c4-dc0c0c07398f", "another variant has no version"),
        ],
    )
    def test_knows_nothing_of_others(self, request_id: str, reason: str) -> None:
        """Their age is the record's to tell."""
        assert minted_at(request_id) is None, reason

    def test_reads_the_last_moment_there_is(self) -> None:
        """48 bits of milliseconds end in the year 10889, beyond what a date can be."""
        assert minted_at("ffffffff-ffff-7fff-bfff-ffffffffffff") is None

    def test_remembers_few_of_the_ids_it_has_read(self) -> None:
        """Callers choose them, and a process lives for weeks."""
        for number in range(1000):
            minted_at(f"order-4711-attempt-{number}")

        assert minted_at.cache_info().currsize <= 256
