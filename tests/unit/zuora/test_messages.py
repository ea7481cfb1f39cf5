from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.model.secret import Secret
from payorch_server.zuora.messages import Call, decode_object, encode_body, preview_body, text_of

CANARY = "canary-4111111111111111"
RAW = b'{"b" : 1.50,\n "a":"\\u00e9"}'


class TestEncodeBody:
    """What goes on the wire is exact."""

    @pytest.mark.parametrize(
        ("value", "expected", "reason"),
        [
            (Decimal("100.10"), b"100.10", "trailing zeros stay, and no quotes appear"),
            (Decimal("0.1"), b"0.1", "no binary fraction"),
            (Decimal("9223372036854775807.99"), b"9223372036854775807.99", "more digits than a double has"),
            (Decimal("0.00"), b"0.00", "zero"),
            (Decimal(500), b"500", "a whole number"),
            (msgspec.Raw(RAW), RAW, "a token to the byte"),
            (Secret(CANARY), f'"{CANARY}"'.encode(), "a secret as its value"),
            (Secret(msgspec.Raw(RAW)), RAW, "a secret token to the byte"),
            (Secret(Decimal("1.20")), b"1.20", "a secret number"),
            (Secret(None), b"null", "a secret null"),
            ({"nested": [Secret("x")]}, b'{"nested":["x"]}', "a secret anywhere"),
        ],
    )
    def test_writes_values_as_they_are(self, value: object, expected: bytes, reason: str) -> None:
        """The body is what the resource says, digit by digit and byte by byte."""
        assert encode_body({"a": value}) == b'{"a":' + expected + b"}", reason

    def test_refuses_what_it_does_not_know(self) -> None:
        """An object must not become text by accident, and its text must not be in the error."""
        with pytest.raises(TypeError, match=r"^A complex cannot be sent to Zuora\.$"):
            encode_body({"a": 1j})

    def test_writes_the_same_bytes_in_every_process(self) -> None:
        """Members are sorted at every depth, whatever order a map came in."""
        body = {"b": 1, "a": {"d": Secret("x"), "c": [{"f": 1, "e": 2}]}}

        assert encode_body(body) == b'{"a":{"c":[{"e":2,"f":1}],"d":"x"},"b":1}'
        assert preview_body(body) == '{"a":{"c":[{"e":2,"f":1}],"d":"[redacted]"},"b":1}'

    @given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
    def test_keeps_every_decimal(self, number: Decimal) -> None:
        """What is read back is the same number."""
        read = msgspec.json.decode(encode_body({"a": number}), type=dict[str, Decimal])

        assert read["a"] == number


class TestPreviewBody:
    """A person sees the form of a body and none of its secrets."""

    def test_replaces_every_secret(self) -> None:
        """Whatever is inside, and however deep."""
        body = {"amount": Decimal("1.10"), "token": Secret(msgspec.Raw(RAW)), "map": {"k": [Secret(CANARY)]}}

        assert preview_body(body) == '{"amount":1.10,"map":{"k":["[redacted]"]},"token":"[redacted]"}'

    def test_refuses_what_it_does_not_know(self) -> None:
        """It fails rather than shows."""
        with pytest.raises(TypeError, match=r"^A complex cannot be shown\.$"):
            preview_body({"a": 1j})


class TestDecodeObject:
    """An answer is an object or nothing."""

    @pytest.mark.parametrize(
        "body", [b"", b"null", b"[1]", b'"x"', b"1", b"<html>", b'{"a"', b"\xff", b'{"a":"\\ud800"}']
    )
    def test_is_none_for_anything_else(self, body: bytes) -> None:
        """Callers have one case to think of."""
        assert decode_object(body) is None

    def test_reads_fractions_exactly(self) -> None:
        """No amount passes through a double."""
        assert decode_object(b'{"a": 0.10, "b": 12345678901234567890.12, "c": 7}') == {
            "a": Decimal("0.10"),
            "b": Decimal("12345678901234567890.12"),
            "c": 7,
        }


class TestTextOf:
    """Ids and amounts arrive as strings or numbers."""

    @pytest.mark.parametrize(
        ("value", "expected", "reason"),
        [
            ("x", "x", "a string"),
            (7, "7", "a whole number"),
            (Decimal("42.50"), "42.50", "a fraction, with its zeros"),
            (Decimal("1E+2"), "100", "without notation"),
            (Decimal("1E+999999999"), "1E+999999999", "unless that would be a gigabyte"),
            (True, "", "true is no number"),
            (None, "", "null"),
            ({}, "", "an object"),
            ([1], "", "a list"),
        ],
    )
    def test_returns_text(self, value: object, expected: str, reason: str) -> None:
        """Anything else is empty."""
        assert text_of(value) == expected, reason

    def test_is_empty_for_a_number_that_python_refuses_to_write(self) -> None:
        """Python limits the digits it writes, and no id is that long."""
        assert text_of(10**5000) == ""


class TestCall:
    """A call knows whether a version applies to it."""

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/v1/payment-methods", True),
            ("/v1/payment-methods/decryption", True),
            ("/v2/payment_methods", False),
            ("/web-payments/sessions", False),
        ],
    )
    def test_is_versioned_on_v1_paths_alone(self, path: str, *, expected: bool) -> None:
        """Zuora-Version works for v1 only."""
        assert Call("x", path, {}).versioned is expected
