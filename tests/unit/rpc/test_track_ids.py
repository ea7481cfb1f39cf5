"""A caller's own Track-Id is recorded as it is, or hashed where it looks like a secret."""

import pytest
from harness.keyring import keyring
from payorch_server.model.identifiers import TrackId, parse_track_id
from payorch_server.rpc.track_ids import recorded_track_ids

CARD = TrackId("4929123456781236")


class TestRecordedTrackIds:
    """Under what a Track-Id is shown and recorded."""

    @pytest.mark.parametrize(
        "text", ["order-1", "4bf92f3577b34da6a3ce929d0e0e4736-4111111111111111", "0f7c1b52-5f0e-4d0a-9a51-0e4f53f1a001"]
    )
    def test_are_those_of_the_caller(self, text: str) -> None:
        """Nearly always."""
        assert recorded_track_ids(TrackId(text), keyring()) == (text,)

    @pytest.mark.parametrize(
        "text",
        [
            CARD,
            "4929-1234-5678-1236",
            "order.4929.1234.5678.1236",
            "NDkyOTEyMzQ1Njc4MTIzNg==",
            CARD.encode().hex(),
            "jane@example.com",
            "GB33BUKB20201555555555",
        ],
    )
    def test_are_hashes_of_what_looks_like_a_secret(self, text: str) -> None:
        """They are Track-Ids themselves, and stay the same when they are asked for."""
        (hashed,) = recorded_track_ids(TrackId(text), keyring())

        assert hashed.startswith("hmac-")
        assert parse_track_id(hashed) == hashed
        assert recorded_track_ids(hashed, keyring()) == (hashed,)
        assert recorded_track_ids(TrackId(text), keyring("other")) != (hashed,)

    def test_include_that_of_the_previous_key(self) -> None:
        """What was recorded before a rotation is found after it, under the second form."""
        (before,) = recorded_track_ids(CARD, keyring("k1"))

        assert recorded_track_ids(CARD, keyring("k2", "k1"))[1:] == (before,)
