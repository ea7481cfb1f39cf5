import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.model.identifiers import (
    TrackId,
    entity_id_on_wire,
    is_zuora_id,
    minted_track_id,
    org_id_on_wire,
    parse_track_id,
    trace_id_of,
)

UUID = "0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a"
FORBIDDEN = set(":;\"',")


class TestParseTrackId:
    """A Track-Id is what Zuora takes and a header can carry."""

    def test_takes_every_character_that_is_allowed(self) -> None:
        """Each of 0x21 to 0x7E is taken but for the five that are named."""
        taken = {chr(code) for code in range(0x110) if parse_track_id(chr(code))}

        assert taken == {chr(code) for code in range(0x21, 0x7F)} - FORBIDDEN

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "it must not be empty"),
            ("x" * 65, "65 characters are one too many"),
            ("a b", "a space ends a token"),
            ("2026-11-20T12:00:00Z", "a colon is forbidden, so times do not fit"),
            ("urn:uuid:1", "nor do URNs"),
            ("a,b", "a comma joins two headers"),
            ("track\n", "a line feed at the end is no part of an id"),
            ("träck", "only US-ASCII"),
            ("\u0661", "digits of other scripts are not digits here"),
        ],
    )
    def test_refuses_what_breaks_the_rule(self, text: str, reason: str) -> None:
        """Such a text is no Track-Id."""
        assert parse_track_id(text) is None, reason

    @pytest.mark.parametrize(
        "text",
        ["x", "x" * 64, "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "a" * 32 + "-" + "b" * 16],
    )
    def test_takes_usual_ids_as_they_are(self, text: str) -> None:
        """A traceparent and our own ids pass unchanged."""
        assert parse_track_id(text) == text

    @given(st.text(max_size=70))
    def test_agrees_with_the_written_rule(self, text: str) -> None:
        """The expression says what TRACK_ID_RULE says."""
        allowed = 1 <= len(text) <= 64 and all(0x21 <= ord(one) <= 0x7E and one not in FORBIDDEN for one in text)

        assert (parse_track_id(text) is not None) == allowed


class TestZuoraIds:
    """An id that is written in several ways goes out in one."""

    @pytest.mark.parametrize(
        ("text", "entity", "org", "reason"),
        [
            ("0a" * 16, UUID, "0a" * 16, "32 digits"),
            ("0A" * 16, UUID, "0a" * 16, "32 capital digits"),
            (UUID, UUID, "0a" * 16, "a UUID"),
            (UUID.upper(), UUID, "0a" * 16, "a UUID in capitals"),
            ("n1", "n1", "n1", "neither: it stays as it is"),
            (f"{{{UUID}}}", f"{{{UUID}}}", f"{{{UUID}}}", "braces are not Zuora's"),
            ("0a" * 16 + "\n", "0a" * 16 + "\n", "0a" * 16 + "\n", "a line feed belongs to no id"),
        ],
    )
    def test_have_one_form_each(self, text: str, entity: str, org: str, reason: str) -> None:
        """Entities as UUID, orgs as 32 digits."""
        assert (entity_id_on_wire(text), org_id_on_wire(text)) == (entity, org), reason

    @given(st.uuids())
    def test_are_recognised_in_both_forms(self, one: uuid.UUID) -> None:
        """Both forms of any id become the same."""
        assert is_zuora_id(one.hex)
        assert is_zuora_id(str(one))
        assert entity_id_on_wire(one.hex) == entity_id_on_wire(str(one)) == str(one)
        assert org_id_on_wire(str(one)) == org_id_on_wire(one.hex) == one.hex


class TestTraceOfATrackId:
    """It is computed, never searched for."""

    def test_is_in_a_minted_one(self) -> None:
        """It begins with it."""
        track_id = minted_track_id(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0xF067AA0BA902B7)

        assert "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7" == track_id
        assert "4bf92f3577b34da6a3ce929d0e0e4736" == trace_id_of(track_id)

    def test_is_made_of_any_other(self) -> None:
        """Published: whoever has sha256sum can compute it."""
        assert "963a0fd7c38d10b44fc395f28fbef85a" == trace_id_of(TrackId("order.4711/retry~1"))

    @pytest.mark.parametrize("text", ["0" * 32 + "-" + "1" * 16, "1" * 32 + "-" + "0" * 16, "A" * 32 + "-" + "1" * 16])
    def test_never_is_no_trace_id(self, text: str) -> None:
        """What only looks like a minted one counts as the caller's own."""
        assert text[:32] != trace_id_of(TrackId(text))
