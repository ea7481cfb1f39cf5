"""What the structural check lets through unchanged, and what it refuses, by path and rule."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from harness.apple_tokens import mint, refusal, reopen
from harness.invalid_apple_tokens import (
    HEADER,
    JSON_TEXTS,
    MEMBERS,
    REPEATED,
    TEXT,
    TOKEN,
    WRAPPED,
    WRAPPERS,
    B,
    P,
    b64,
    header,
    inner,
    point,
    square_root,
    without,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from payorch_server.applepay import MAX_TOKEN_BYTES, AppleToken, InvalidTokenError, TokenRule, parse_token
from zuora_emulator.apple_pay import RefusalReason

Found = list[tuple[str, TokenRule]]


def parse(token: Any) -> AppleToken:
    return parse_token(token_json=token if isinstance(token, bytes) else json.dumps(token).encode())


def violations(token: Any) -> Found:
    with pytest.raises(InvalidTokenError) as caught:
        parse(token)
    return [(violation.path, violation.rule) for violation in caught.value.violations]


class TestRightTokens:
    """A token of the right structure comes out as it came in."""

    def test_reads_level_3(self) -> None:
        """The whole text is forwarded, without the white space around it."""
        text = json.dumps(TOKEN).encode()

        token = parse(b" \r\n\t" + text + b"\n")

        assert token.payment_data_json == text
        assert token.transaction_id == HEADER["transactionId"]
        assert token.public_key_hash == HEADER["publicKeyHash"]
        assert token.version == "EC_v1"

    def test_reads_level_2(self) -> None:
        """Only the inner object is forwarded."""
        token = parse(WRAPPED)

        assert json.loads(token.payment_data_json) == TOKEN

    @pytest.mark.parametrize("gap", ["", " ", "\n\t "])
    def test_takes_the_inner_text_over_verbatim(self, gap: str) -> None:
        """White space, order, escapes, numbers and unknown members survive to the byte."""
        unknown = '"later":[1.50,1e400,-0,12345678901234567890123,{"\\u00e9\\/":"\u00e9"},null,{}]'.replace(
            ",", f"{gap},"
        )
        members = [f'"{name}"{gap}:{gap}{json.dumps(TOKEN[name])}' for name in ("signature", "header", "data")]
        members += [f'"vers\\u0069on"{gap}:{gap}"EC_v1"', unknown]
        text = f"{{{gap}" + f"{gap},{gap}".join(members) + f"{gap}}}"
        outer = [f'"before"{gap}:{gap}[{{"paymentData":0}}]', f'"payment\\u0044ata"{gap}:{gap}{text}', '"after":1']
        wrapped = f"{{{gap}" + f"{gap},{gap}".join(outer) + f"{gap}}}"

        assert parse(wrapped.encode()).payment_data_json == text.encode()
        assert parse(text.encode()).payment_data_json == text.encode()

    def test_keeps_digits_beyond_every_limit(self) -> None:
        """Nothing is converted: neither a limit on digits nor rounding applies."""
        digits = "9" * 5000
        text = json.dumps(TOKEN)[:-1] + f', "count": {digits}}}'

        assert parse(text.encode()).payment_data_json == text.encode()

    def test_emulator_opens_what_is_forwarded(self) -> None:
        """The unwrapped object still verifies."""
        assert reopen(json.loads(parse(WRAPPED).payment_data_json)).amount_minor == 1999

    def test_unknown_header_members_are_kept(self) -> None:
        """Dropping one could break the signature; judging it is Zuora's part."""
        kept = json.loads(parse(header(later={"b": 1})).payment_data_json)

        assert kept["header"]["later"] == {"b": 1}
        assert refusal(kept) == RefusalReason.MALFORMED

    @pytest.mark.parametrize("change", [str.upper, str.lower, str.swapcase])
    def test_hex_may_have_either_case(self, change: Callable[[str], str]) -> None:
        """The id is compared and reported in lower case, and forwarded as it came."""
        written = change(HEADER["transactionId"])

        token = parse(header(transactionId=written))

        assert token.transaction_id == HEADER["transactionId"]
        assert written in token.payment_data_json.decode()

    @pytest.mark.parametrize("dropped", ["paymentMethod", "transactionIdentifier"])
    def test_rest_of_the_wrapper_may_be_missing(self, dropped: str) -> None:
        """Only the inner object is needed; what wraps it is compared when it is there."""
        assert parse(without(WRAPPED, dropped)).transaction_id == HEADER["transactionId"]

    def test_application_data_may_be_missing(self) -> None:
        """A request without application data gives a token without its hash."""
        assert parse(mint()).version == "EC_v1"

    @pytest.mark.parametrize(
        "token",
        [
            header(applicationData=None),
            WRAPPED | {"transactionIdentifier": None},
            WRAPPED | {"paymentMethod": None},
            header(wrappedKey=None),
        ],
        ids=["application data", "identifier", "payment method", "wrapped key"],
    )
    def test_null_of_what_may_be_missing_is_absent(self, token: dict[str, Any]) -> None:
        """Apple omits what has no value, and typed readers on the way write it as null; the text stays as it came."""
        read = parse(token)

        assert json.loads(read.payment_data_json) == token.get("paymentData", token)

    def test_null_changes_no_fingerprint(self) -> None:
        """It is the same token."""
        assert (
            parse(header(applicationData=None)).fingerprint_sha256
            == parse(TOKEN | {"header": without(HEADER, "applicationData")}).fingerprint_sha256
        )

    def test_byte_order_mark_is_no_part_of_the_text(self) -> None:
        """Some files begin with it."""
        text = json.dumps(TOKEN).encode()

        assert parse(b"\xef\xbb\xbf" + text).payment_data_json == text

    def test_longest_token_is_read(self) -> None:
        """The limit counts all bytes, and the last one still fits."""
        text = json.dumps(TOKEN).encode()

        assert parse(text.ljust(MAX_TOKEN_BYTES)).payment_data_json == text
        assert violations(text.ljust(MAX_TOKEN_BYTES + 1)) == [("", TokenRule.TOO_LONG)]

    def test_repr_shows_no_token(self) -> None:
        """What is printed identifies the token, and cannot be used as one."""
        shown = repr(parse(TOKEN))

        assert TOKEN["data"][:20] not in shown
        assert TOKEN["signature"][:20] not in shown
        assert "fingerprint" not in shown
        assert HEADER["transactionId"] in shown


class TestFingerprint:
    """Equal content has an equal fingerprint, however it is written."""

    def test_does_not_depend_on_the_writing(self) -> None:
        """Wrapper, order, white space, hex case and unknown members do not count."""
        reversed_order = dict(reversed(TOKEN.items())) | {"header": dict(reversed(HEADER.items()))}
        upper = header(transactionId=HEADER["transactionId"].upper(), applicationData=HEADER["applicationData"].upper())
        writings = [WRAPPED, reversed_order, upper, json.dumps(TOKEN, indent=2).encode(), inner(later=1)]

        fingerprints = {parse(writing).fingerprint_sha256 for writing in writings}

        assert fingerprints == {parse(TOKEN).fingerprint_sha256}

    @pytest.mark.parametrize(
        "change",
        [
            inner(data=b64(bytes(17))),
            inner(signature=b64(b"\x30\x00")),
            header(ephemeralPublicKey=mint(name="another")["header"]["ephemeralPublicKey"]),
            header(publicKeyHash=b64(bytes(32))),
            header(transactionId="0" * 64),
            header(applicationData="0" * 64),
            TOKEN | {"header": without(HEADER, "applicationData")},
        ],
        ids=["data", "signature", "key", "hash", "id", "application data", "no application data"],
    )
    def test_depends_on_each_member(self, change: dict[str, Any]) -> None:
        """Another value of any signed member is another token."""
        assert parse(change).fingerprint_sha256 != parse(TOKEN).fingerprint_sha256

    def test_is_what_it_was(self) -> None:
        """Stored fingerprints outlive a release: this computation is frozen."""
        names = ("ephemeralPublicKey", "publicKeyHash", "transactionId", "applicationData")
        parts = [base64.b64decode(TOKEN["data"]), base64.b64decode(TOKEN["signature"])]
        parts += [base64.b64decode(HEADER[name]) for name in names[:2]]
        parts += [bytes.fromhex(HEADER[name]) for name in names[2:]]

        expected = hashlib.sha256(b"".join(len(part).to_bytes(4) + part for part in parts)).digest()

        assert parse(TOKEN).fingerprint_sha256 == expected


class TestRefusals:
    """Each fault has a path and a rule."""

    @pytest.mark.parametrize(("text", "rule"), [row[1:] for row in JSON_TEXTS], ids=[row[0] for row in JSON_TEXTS])
    def test_text_as_a_whole(self, text: bytes, rule: TokenRule) -> None:
        """What cannot be read as a token has one violation, of the whole."""
        assert violations(text) == [("", rule)]

    @pytest.mark.parametrize(("token", "path", "rule"), [row[1:] for row in MEMBERS], ids=[row[0] for row in MEMBERS])
    def test_member(self, token: dict[str, Any], path: str, rule: TokenRule) -> None:
        """The fault is found in both levels, and nothing else is."""
        expected_wrapped = [(f"paymentData.{path}", rule)]

        assert violations(token) == [(path, rule)]
        assert violations({"paymentData": token}) == expected_wrapped

    @pytest.mark.parametrize(("token", "path", "rule"), [row[1:] for row in WRAPPERS], ids=[row[0] for row in WRAPPERS])
    def test_wrapper(self, token: dict[str, Any], path: str, rule: TokenRule) -> None:
        """What wraps the token must agree with it."""
        assert violations(token) == [(path, rule)]

    @pytest.mark.parametrize(("text", "expected"), [row[1:] for row in REPEATED], ids=[row[0] for row in REPEATED])
    def test_repeated_name(self, text: str, expected: Found) -> None:
        """Readers differ in which of two equal names they take, so none is taken."""
        assert violations(text.encode()) == expected

    @pytest.mark.parametrize(
        ("token", "says"),
        [
            (WRAPPED | {"paymentData": ""}, "an empty string, which simulators hand out"),
            (WRAPPED | {"paymentData": b64(TEXT.encode())}, "base64 of it"),
            (WRAPPED | {"paymentData": json.dumps(TOKEN)}, "a JSON string of it"),
            ({"methodName": "m", "details": {"token": WRAPPED}}, "be details.token of the payment response"),
            ({"token": WRAPPED}, "be the token member of the payment"),
        ],
    )
    def test_names_what_came_instead(self, token: dict[str, Any], says: str) -> None:
        """Each has another cause in the page or the app."""
        with pytest.raises(InvalidTokenError) as caught:
            parse(token)

        (violation,) = caught.value.violations
        assert says in violation.description

    def test_rules_have_the_names_that_callers_see(self) -> None:
        """A caller may decide by them, so they stay as they are."""
        assert set(TokenRule) == {
            "too_long",
            "not_utf8",
            "invalid_json",
            "duplicate_member",
            "wrong_type",
            "wrong_level",
            "ambiguous_level",
            "required",
            "unsupported_version",
            "rsa_unsupported",
            "base64",
            "hex",
            "length",
            "not_cms",
            "not_p256",
            "mismatch",
        }

    @pytest.mark.parametrize("name", TOKEN)
    def test_token_of_both_levels_is_ambiguous(self, name: str) -> None:
        """Any one member of the inner object beside the wrapped one is enough."""
        assert violations(WRAPPED | {name: TOKEN[name]}) == [("", TokenRule.AMBIGUOUS_LEVEL)]

    def test_missing_header_is_the_one_fault_of_a_wrapper(self) -> None:
        """There is no id then with which the wrapper's could disagree."""
        inner = {name: value for name, value in TOKEN.items() if name != "header"}

        assert violations(WRAPPED | {"paymentData": inner}) == [("paymentData.header", TokenRule.REQUIRED)]

    def test_string_of_the_whole_token_is_named(self) -> None:
        """It was encoded twice."""
        with pytest.raises(InvalidTokenError) as caught:
            parse_token(token_json=json.dumps(TEXT).encode())

        (violation,) = caught.value.violations
        assert violation.description == "token_json must be the JSON object, not a JSON string of it"

    def test_coordinate_has_one_form(self) -> None:
        """Adding the field's prime gives the same residue, and is still no coordinate."""
        x, y = next((x, y) for x in range(100) for y in [square_root(x**3 - 3 * x + B)] if y)

        assert parse(header(ephemeralPublicKey=point(x, y))).version == "EC_v1"
        assert violations(header(ephemeralPublicKey=point(x + P, y))) == [
            ("header.ephemeralPublicKey", TokenRule.NOT_P256)
        ]

    def test_rsa_token_is_not_reproached_with_its_own_members(self) -> None:
        """RSA_v1 has a wrapped key where EC_v1 has an ephemeral one: the version says it all."""
        rsa = without(HEADER, "ephemeralPublicKey") | {"wrappedKey": b64(bytes(256))}

        assert violations(inner(version="RSA_v1", header=rsa)) == [("version", TokenRule.RSA_UNSUPPORTED)]

    def test_all_at_once(self) -> None:
        """A caller repairs everything after one answer."""
        assert violations({"paymentData": {"header": {}}, "transactionIdentifier": "?"}) == [
            ("paymentData.version", TokenRule.REQUIRED),
            ("paymentData.data", TokenRule.REQUIRED),
            ("paymentData.signature", TokenRule.REQUIRED),
            ("paymentData.header.ephemeralPublicKey", TokenRule.REQUIRED),
            ("paymentData.header.publicKeyHash", TokenRule.REQUIRED),
            ("paymentData.header.transactionId", TokenRule.REQUIRED),
            ("transactionIdentifier", TokenRule.HEX),
        ]

    def test_every_rule_has_a_case(self) -> None:
        """A rule that no table shows could be dead."""
        shown = {row[-1] for row in (*JSON_TEXTS, *MEMBERS, *WRAPPERS)} | {TokenRule.DUPLICATE_MEMBER}

        assert shown == set(TokenRule)

    @pytest.mark.parametrize("text", [row[1] for row in JSON_TEXTS], ids=[row[0] for row in JSON_TEXTS])
    def test_error_carries_no_token(self, text: bytes) -> None:
        """A parser's error holds the text it could not read; a report of the error's context would show it."""
        with pytest.raises(InvalidTokenError) as caught:
            parse_token(token_json=text)

        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None

    def test_message_lists_paths_and_rules(self) -> None:
        """The operators' message holds nothing else."""
        with pytest.raises(InvalidTokenError, match=r"^header: required$"):
            parse(without(TOKEN, "header"))


CANARY = "canary7f3"
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text() | st.just(CANARY)
NAMES = st.sampled_from([*TOKEN, *HEADER, *WRAPPED, "token", CANARY]) | st.text()
VALUES = st.recursive(LEAVES, lambda below: st.lists(below) | st.dictionaries(NAMES, below), max_leaves=12)


def outcome(token_json: bytes) -> tuple[bytes | None, str]:
    """Return what is forwarded, and what a refusal shows."""
    try:
        return parse_token(token_json=token_json).payment_data_json, ""
    except InvalidTokenError as failure:
        return None, f"{failure} {failure.violations}"


class TestAnyInput:
    """Whatever comes in, the answer is a token or the one error."""

    @given(st.binary() | st.text().map(str.encode))
    @settings(deadline=None)
    def test_bytes(self, content: bytes) -> None:
        """Bytes that are no token."""
        with pytest.raises(InvalidTokenError):
            parse_token(token_json=content)

    @given(VALUES)
    @settings(deadline=None)
    def test_values(self, value: Any) -> None:
        """JSON that is no token, with the names of one."""
        assert all(CANARY not in path for path, _ in violations(value))

    @given(level=st.sampled_from([(), ("header",)]), name=NAMES, value=VALUES, wrapped=st.booleans())
    @settings(deadline=None)
    def test_right_token_with_one_change(self, level: tuple[str, ...], name: str, value: Any, wrapped: bool) -> None:  # noqa: FBT001 - drawn
        """One member set to anything: either kept to the byte or refused without showing it."""
        text = json.dumps(header(**{name: value}) if level else inner(**{name: value}))
        sent = f'{{"paymentData": {text}}}' if wrapped else text

        parsed, shown = outcome(sent.encode())

        assert CANARY not in shown
        assert parsed in (None, text.encode())

    @given(at=st.integers(min_value=0, max_value=len(TEXT) - 1), byte=st.integers(min_value=0, max_value=255))
    @settings(deadline=None)
    def test_one_byte_changed(self, at: int, byte: int) -> None:
        """A changed byte is refused or forwarded, never repaired."""
        changed = bytearray(TEXT.encode())
        changed[at] = byte

        parsed, shown = outcome(bytes(changed))

        assert parsed == bytes(changed).strip() or shown
