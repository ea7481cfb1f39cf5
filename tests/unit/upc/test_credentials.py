"""Credentials of hubs."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.model.secret import Secret
from payorch_server.upc.credentials import HubCredentials, generation_of

PAIRS = st.tuples(st.sampled_from(["", "zuora", "Zuora", "zuörä", "z"]) | st.text(), st.text())
"""User and password; NUL, colons and what UTF-8 has no bytes for are among them."""


def basic(user: bytes, password: bytes, *, scheme: str = "Basic") -> list[str]:
    """Return the Authorization lines of a request."""
    return [f"{scheme} {base64.b64encode(user + b':' + password).decode()}"]


def holding(*pairs: tuple[str, str], hub: str = "main") -> HubCredentials:
    """Return the credentials of one hub."""
    return HubCredentials({hub: [generation_of(user, Secret(password)) for user, password in pairs]})


def accepts(pair: tuple[str, str], *pairs: tuple[str, str]) -> bool:
    """Present one pair to a hub that has others."""
    user, password = pair
    return holding(*pairs).accepts("main", basic(user.encode(), password.encode()))


class TestCredentials:
    """Who presents what the hub has may call it."""

    @given(
        st.lists(PAIRS.filter(lambda pair: ":" not in pair[0]), min_size=1, max_size=2),
        PAIRS.filter(lambda pair: ":" not in pair[0]),
    )
    def test_are_accepted_only_if_one_generation_is_equal(
        self, generations: list[tuple[str, str]], other: tuple[str, str]
    ) -> None:
        """Byte for byte, in each generation; another pair is accepted only where it is one of them."""
        assert all(accepts(pair, *generations) for pair in generations)
        assert accepts(other, *generations) == (other in generations)

    @given(st.lists(PAIRS, min_size=1, max_size=2), st.lists(st.text(), max_size=1))
    def test_are_nothing_but_one_header(self, generations: list[tuple[str, str]], lines: list[str]) -> None:
        """No text that is not made of a generation is accepted, and none raises."""
        assert not holding(*generations).accepts("main", lines)

    def test_of_two_generations_do_not_mix(self) -> None:
        """The user of one with the password of the other is wrong."""
        assert not accepts(("old", "second"), ("old", "first"), ("new", "second"))

    @pytest.mark.parametrize("password", ["a:b", ":", "", "pässwörd", "日本", " p ", "a\x00b", "p|"])
    def test_may_be_any_text(self, password: str) -> None:
        """The first colon ends the user, and no later one does."""
        assert accepts(("zuora", password), ("zuora", password))
        assert not accepts(("zuora", password + "x"), ("zuora", password))

    @pytest.mark.parametrize("scheme", ["basic", "BASIC", "bAsIc"])
    def test_are_presented_by_a_scheme_in_any_case(self, scheme: str) -> None:
        """RFC 7235 compares it without case."""
        assert holding(("zuora", "p")).accepts("main", basic(b"zuora", b"p", scheme=scheme))

    @pytest.mark.parametrize(
        "lines",
        [
            [],
            basic(b"zuora", b"p") * 2,
            basic(b"zuora", b"p", scheme="Bearer"),
            ["Basic"],
            ["Basic "],
            [base64.b64encode(b"zuora:p").decode()],
            [f"Basic {base64.b64encode(b'zuora').decode()}"],
            [f"Basic {base64.b64encode(b'zuora:p').decode()}!"],
            [f"Basic {base64.b64encode(b'zuora:p').decode()}, Basic eA=="],
            ["Basic \udce4\udcf6"],
            ["Basic enVvcmE6"],
        ],
    )
    def test_in_any_other_form_are_wrong(self, lines: list[str]) -> None:
        """Two lines are wrong even where they are equal."""
        assert not holding(("zuora", "p")).accepts("main", lines)

    def test_without_a_colon_are_no_empty_password(self) -> None:
        """A user alone presents no credentials."""
        lines = [f"Basic {base64.b64encode(b'zuora').decode()}"]

        assert not holding(("zuora", "")).accepts("main", lines)

    def test_of_one_hub_are_wrong_at_another(self) -> None:
        """And a hub that does not exist accepts nothing, not even nothing."""
        credentials = holding(("zuora", "p"))

        assert not credentials.accepts("other", basic(b"zuora", b"p"))
        assert not credentials.accepts("other", basic(b"", b""))
        assert not credentials.accepts("main", basic(b"", b""))

    def test_cannot_be_shown(self) -> None:
        """Neither as text nor as hashes."""
        generation = generation_of("zuora-user", Secret("secret-word"))

        shown = f"{generation!r} {HubCredentials({'main': [generation]})!r}"

        assert not any(text in shown for text in ("zuora-user", "secret-word", generation.password_hash.hex()))
        assert "hash" not in shown
