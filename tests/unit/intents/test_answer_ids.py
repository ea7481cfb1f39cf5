"""Ids of answers are compared as Zuora sent them, and recorded as hashes."""

import pytest
from harness.keyring import keyring
from payorch_server.intents.answer_ids import AnswerIds
from payorch_server.model.secret import Secret

CARD = "4929123456781236"


class TestAnswerIds:
    """The recorded ids of one intent."""

    def test_are_recorded_as_hashes(self) -> None:
        """Whatever an answer calls an id, the store does not hold it."""
        recorded = AnswerIds((), keyring()).with_more([Secret(CARD), Secret("zreq-1")])

        assert all(name.startswith("hmac-") and len(name) == 37 for name in recorded)
        assert len(set(recorded)) == 2
        assert CARD not in repr(recorded)

    def test_contain_what_was_recorded_and_nothing_else(self) -> None:
        """Equal ids are equal, and texts that are shown alike are not."""
        ids = AnswerIds(AnswerIds((), keyring()).with_more([Secret("J. Doe 1")]), keyring())

        assert Secret("J. Doe 1") in ids
        assert Secret("J. Doe 2") not in ids
        assert Secret("[masked]") not in ids
        assert "J. Doe 1" not in ids

    @pytest.mark.parametrize(("keys", "is_found"), [(("k1", "k0"), True), (("k2", "k1"), True), (("k3", "k2"), False)])
    def test_outlive_one_rotation_of_the_key(self, keys: tuple[str, ...], *, is_found: bool) -> None:
        """A hash under a key that is gone equals nothing, which makes no outcome more certain."""
        recorded = AnswerIds((), keyring("k1")).with_more([Secret("zreq-1")])

        assert is_found is (Secret("zreq-1") in AnswerIds(recorded, keyring(*keys)))

    def test_read_what_earlier_versions_recorded(self) -> None:
        """These ids are in clear; no answer can equal a hash by sending it."""
        hashed = AnswerIds((), keyring()).with_more([Secret("zreq-2")])
        ids = AnswerIds(("zreq-1", *hashed), keyring())

        assert Secret("zreq-1") in ids
        assert Secret(hashed[0]) not in ids
        assert ids.with_more([Secret("zreq-3")])[:2] == ("zreq-1", *hashed)

    def test_are_the_newest_ten(self) -> None:
        """A record stays small."""
        recorded = AnswerIds((), keyring()).with_more(Secret(f"zreq-{number}") for number in range(12))

        ids = AnswerIds(recorded, keyring())
        assert [Secret(f"zreq-{number}") in ids for number in range(12)] == [False] * 2 + [True] * 10
