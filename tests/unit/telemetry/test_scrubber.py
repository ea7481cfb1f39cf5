"""What looks like a secret never leaves in a log line, and what does not stays as it is."""

import json
import string
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from payorch_server.model.card_numbers import SCRUBBED
from payorch_server.model.sensitive_text import scrub_text
from payorch_server.telemetry.scrubber import scrub

TRACK_ID = "4bf92f3577b34da6a3ce929d0e0e4736-4111111111111111"


def _with_check_digit(digits: str) -> str:
    doubled = sum(sum(divmod(2 * int(one), 10)) for one in digits[::-2])
    return digits + str(-(doubled + sum(int(one) for one in digits[-2::-2])) % 10)


def _with_check_digits(country: str, account: str) -> str:
    digits = "".join(str(int(one, 36)) for one in f"{account}{country}00")
    return f"{country}{98 - int(digits) % 97:02}{account}"


cards = st.text(string.digits, min_size=11, max_size=18).map(_with_check_digit)
ibans = st.builds(
    _with_check_digits,
    st.text(string.ascii_uppercase, min_size=2, max_size=2),
    st.text(string.ascii_uppercase + string.digits, min_size=11, max_size=30),
)
separators = st.sampled_from(["", " ", "-"])
# No digit and no letter beside the number, and no text that is a secret in itself.
plain_text = st.text(st.characters(exclude_characters="@", exclude_categories=("Cs", "N", "Lu", "Ll")), max_size=20)


@st.composite
def written_cards(draw: st.DrawFn) -> str:
    """Draw a card number in groups of four."""
    card, separator = draw(cards), draw(separators)
    return separator.join(card[at : at + 4] for at in range(0, len(card), 4))


def nested(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Put a leaf somewhere."""
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3),
            st.tuples(st.just(1), inner),
            st.dictionaries(plain_text, inner, min_size=1, max_size=3),
            st.dictionaries(leaf.filter(lambda one: isinstance(one, str)), plain_text, min_size=1, max_size=2),
        ),
        max_leaves=5,
    )


def in_lists(value: Any, *, levels: int) -> Any:
    """Put a value into a list in a list and so on."""
    return [in_lists(value, levels=levels - 1)] if levels else value


class Told:
    """An object that a log line is given as it is."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        """Tell the text."""
        return self.text


class TestScrub:
    """A whole event, before it is rendered."""

    @given(st.data(), st.sampled_from([cards, ibans, written_cards()]))
    def test_finds_a_number_in_any_nesting(self, data: st.DataObject, numbers: st.SearchStrategy[str]) -> None:
        """Wherever it is planted, it does not reach the line, which is JSON."""
        number = data.draw(numbers)
        around = data.draw(plain_text)
        leaf = st.sampled_from([f"{around} {number}", f"{number}{around}", Told(f"{number}:")])

        value = data.draw(nested(leaf))
        line = msgspec.json.encode(scrub({"event": "call", "value": value}), enc_hook=str).decode()

        assert number not in line
        assert SCRUBBED in line
        assert json.loads(line)

    @given(cards)
    def test_finds_a_card_number_among_numbers(self, card: str) -> None:
        """An integer is no hiding place, and neither is a name."""
        done = scrub({"event": "call", f"at {card}": int("9" + card) if card[0] == "0" else int(card)})

        assert not any(card in str(name) for name in done)
        assert card not in map(str, done.values())

    @pytest.mark.parametrize("name", ["client_secret", "Authorization", "access_token", "password"])
    def test_knows_members_by_their_names(self, name: str) -> None:
        """At the top and inside."""
        done = scrub({name: "short", "inner": [{name: "short"}]})

        assert {name: SCRUBBED, "inner": [{name: SCRUBBED}]} == done

    def test_measures_bytes(self) -> None:
        """Rendered as Base64 they could not be searched."""
        assert {"body": "<3 bytes>"} == scrub({"body": b"abc"})

    def test_keeps_eight_levels_and_renders_the_rest(self) -> None:
        """A member of a nested object is found by its name only while the object is one."""
        kept = scrub({"value": in_lists("x", levels=8)})
        rendered = scrub({"value": in_lists("x", levels=9)})

        assert {"value": in_lists("x", levels=8)} == kept
        assert {"value": in_lists("['x']", levels=8)} == rendered

    def test_ends_where_a_value_holds_itself(self) -> None:
        """No line is worth a stack."""
        value: list[Any] = []
        value.append(value)

        assert "[...]" in str(scrub({"value": value}))

    @given(
        st.dictionaries(
            st.text("abcd_", max_size=5),
            st.one_of(plain_text, st.integers(-(10**9), 10**9), st.floats(), st.none(), st.booleans()),
        )
    )
    def test_leaves_a_harmless_event_alone(self, event: dict[str, Any]) -> None:
        """The very object comes back, which is what makes it cheap."""
        assert scrub(event) is event

    @given(*[st.text("014678abcde", min_size=length, max_size=length) for length in (32, 32, 40)])
    @example("1" * 32, "4" * 32, "7" * 40)
    def test_leaves_an_event_with_ids_alone(self, zuora_id: str, trace_id: str, digest: str) -> None:
        """As cheap, whatever their digits; a member with the name `key` is no secret's."""
        event = {"event": "upc_call", "id": zuora_id, "key": f"upc1-{digest}", "trace_id": trace_id}

        assert scrub(event) is event

    @given(cards, st.sampled_from(["id", "key", "detail"]))
    def test_finds_a_card_number_beside_ids(self, card: str, name: str) -> None:
        """Only the ids themselves are read over."""
        event = {"trace_id": "1" * 32, name: f"po1-{'2' * 40} {card}"}

        assert card not in str(scrub(event))

    @pytest.mark.parametrize(
        "name", ["apiKey", "API_KEY", "privateKey", "private_key", "ap\N{LATIN SMALL LETTER DOTLESS I}_key"]
    )
    def test_finds_keys_that_are_secrets(self, name: str) -> None:
        """However their names are written."""
        assert "s3cr3t" not in str(scrub({"detail": f"{name}=s3cr3t"}))


class TestScrubText:
    """One text."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("card 4111111111111111 refused", "card [scrubbed] refused"),
            ("card 4111-1111-1111-1111.", "card [scrubbed]."),
            ("n4111111111111111n", "n[scrubbed]n"),
            ("5 4111 1111 1111 1111", "[scrubbed]"),
            ("DE89370400440532013000", "[scrubbed]"),
            ("to DE89 3704 0044 0532 0130 00 and on", "to [scrubbed] and on"),
            ("Authorization: Bearer 0123456789abcdef", "Authorization: Bearer [scrubbed]"),
            ("bearer abcdefgh.ijk", "[scrubbed]"),
            ("4929123456781236eyJhbGciOiJIUzI1NiJ9", "[scrubbed][scrubbed]"),
            ("a eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln b", "a [scrubbed] b"),
            ("jane.doe+x@example.com wrote", "[scrubbed] wrote"),
            ("<j@example.com>", "<[scrubbed]>"),
            ("client_id=1&client_secret=a%2Fb&x=1", "client_id=1&client_secret=[scrubbed]&x=1"),
            ('{"access_token":"abc","n":1}', '{"access_token":"[scrubbed]","n":1}'),
            (r'"{\"access_token\": \"abc\"}"', r'"{\"access_token\": \"[scrubbed]\"}"'),
            ("password = 'abc'", "password = '[scrubbed]'"),
            ("card 4929.1234.5678.1236 refused", "card [scrubbed] refused"),
            ("card 4929/1234/5678/1236 refused", "card [scrubbed] refused"),
            ("card 4929_1234_5678_1236 refused", "card [scrubbed] refused"),
            ("card 4929:1234:5678:1236 refused", "card [scrubbed] refused"),
            ("card 4929, 1234, 5678, 1236 refused", "card [scrubbed] refused"),
            ("card 4929 - 1234 - 5678 - 1236 refused", "card [scrubbed] refused"),
            ("card 4929-1234/5678.1236 refused", "card [scrubbed] refused"),
            ("card 3714.496353.98431 refused", "card [scrubbed] refused"),
            ("card 4.9.2.9.1.2.3.4.5.6.7.8.1.2.3.6 refused", "card [scrubbed] refused"),
            ("card 4929\u00a01234\u00a05678\u00a01236 refused", "card [scrubbed] refused"),
            ("card 4929\u20131234\u20135678\u20131236 refused", "card [scrubbed] refused"),
            ("card 4929\u200b1234\u200b5678\u200b1236 refused", "card [scrubbed] refused"),
            ("card " + "\u200b".join("4929123456781236") + " refused", "card [scrubbed] refused"),
            ("card 4929%201234%205678%201236 refused", "card [scrubbed] refused"),
            ("card 4929%25201234%25205678%25201236 refused", "card [scrubbed] refused"),
            ("card 4929%C2%A01234%C2%A05678%C2%A01236 refused", "card [scrubbed] refused"),
            ("to jane%40example.com", "to [scrubbed]"),
            ("card \uff14\uff19\uff12\uff19123456781236 refused", "card [scrubbed] refused"),
            ("card \u0664\u0669\u0662\u0669 1234 5678 1236 refused", "card [scrubbed] refused"),
            ("card NDkyOTEyMzQ1Njc4MTIzNg== refused", "card [scrubbed]== refused"),
            ("card NDkyOTEyMzQ1Njc4MTIzNg refused", "card [scrubbed] refused"),
            ("card NDkyOS0xMjM0LTU2NzgtMTIzNg refused", "card [scrubbed] refused"),
            ("n=Y2FyZCA0OTI5MTIzNDU2NzgxMjM2IQ", "n=[scrubbed]"),
            ("x-ZiA0OTI5MTIzNDU2NzgxMjM2IQ", "[scrubbed]"),
            ("card 34393239313233343536373831323336 refused", "card [scrubbed] refused"),
            ("card 34393239-3132-3334-3536-373831323336 refused", "card [scrubbed] refused"),
            ("card 343932392d313233342d353637382d31323336 refused", "card [scrubbed] refused"),
            ("card 34 39 32 39 31 32 33 34 35 36 37 38 31 32 33 36 refused", "card [scrubbed] refused"),
            (r"card \x34\x39\x32\x39\x31\x32\x33\x34\x35\x36\x37\x38\x31\x32\x33\x36", r"card \x[scrubbed]"),
            ("card %34%39%32%39%31%32%33%34%35%36%37%38%31%32%33%36 refused", "card %[scrubbed] refused"),
        ],
    )
    def test_replaces_the_secret_and_nothing_else(self, text: str, expected: str) -> None:
        """What is left still tells what happened."""
        done = scrub_text(text)

        assert expected.replace("Bearer ", "") == done.replace("Bearer ", "")
        assert done == scrub_text(done)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (TRACK_ID, "a minted Track-Id whose span is a card number"),
            (f"00-{TRACK_ID}-01", "the same in a traceparent"),
            ("41111111111111114111111111111111", "an id of 32 digits"),
            ("00000000-0000-4000-8000-411111111111", "a UUID"),
            ("po1-" + "4111111111111111" * 2 + "41111111", "an idempotency key"),
            ("2026-11-20T12:00:00.123456Z", "a timestamp"),
            ("2026-11-20 12:00:00", "another form of it"),
            ("53200020 53000070", "two codes of Zuora"),
            ("status 400: 53200020 The value is wrong; 90000011 expired", "codes with their texts"),
            ("4111111111111112", "not a card number"),
            ("DE89370400440532013001", "not an IBAN"),
            ("the bearer of a secret key: no token", "words"),
            ("client_secret_file: /run/secrets/a: no such file", "the name of a setting"),
            ("rule.py:12 decide > table.py:7 look", "where an exception arose"),
            ("4929.1234.5678.1237", "no card number in groups"),
            ("2026-11-26 00:26:38.123456 and 2026-11-26T00:26:38.123456Z", "times with parts of a second"),
            ("10.123.204.117, 52.214.199.101 and 192.168.100.200:50051", "addresses of machines"),
            ("limits 40, 1000, 250000, 300, 60", "numbers of a list"),
            ("34393239313233343536373831323337", "hexadecimal digits of no card number"),
            ("NDkyOTEyMzQ1Njc4MTIzNw", "Base64 of no card number"),
            ("GET /a%20b?x=%2Fy", "an address"),
        ],
    )
    def test_leaves_the_rest_alone(self, text: str, reason: str) -> None:
        """A line that tells nothing helps nobody."""
        assert text == scrub_text(text), reason

    @given(st.from_regex(r"[0-9a-f]{32}-[0-9]{16}", fullmatch=True))
    @example(TRACK_ID)
    def test_leaves_every_track_id_alone(self, track_id: str) -> None:
        """A tenth of those whose span is all digits pass Luhn's check."""
        assert track_id == scrub_text(track_id)

    @given(
        st.one_of(
            st.uuids().map(str),
            st.uuids().map(lambda made: made.hex),
            st.from_regex(r"[0-9A-F]{16}", fullmatch=True).filter(lambda text: not text.isdecimal()),
            st.from_regex(r"po1-[0-9]{40}", fullmatch=True),
            st.from_regex(r"po1-[0-9a-f]{40}", fullmatch=True),
            st.from_regex(r"hmac-[0-9]{32}", fullmatch=True),
            st.from_regex(r"00-[0-9]{32}-[0-9]{16}-01", fullmatch=True),
            st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
        ),
        st.sampled_from(["{}", "5: {}", "12 {} 7", "{}, {}", "id={}", "[{}]"]),
    )
    def test_leaves_every_id_and_time_alone(self, text: str, around: str) -> None:
        """Our own and Zuora's forms, also beside other numbers."""
        line = around.format(text, text)

        assert line == scrub_text(line)

    @given(st.text())
    @example("0@0@0")
    @example("958141111111eyJ11111111113")
    def test_takes_any_text_twice(self, text: str) -> None:
        """What was scrubbed is not scrubbed again."""
        assert scrub_text(text) == scrub_text(scrub_text(text))
