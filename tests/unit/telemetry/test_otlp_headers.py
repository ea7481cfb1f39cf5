import pytest
from payorch_server.model.secret import reveal  # noqa: TID251 - that the headers were read is the subject
from payorch_server.telemetry.otlp_headers import OtlpHeadersError, parse_otlp_headers

CANARY = "canary-api-key"


class TestHeadersForACollector:
    """A file with `name: value` on each line."""

    @pytest.mark.parametrize(
        ("content", "headers"),
        [
            (f"api-key: {CANARY}", {"api-key": CANARY}),
            ("Authorization: Basic YTpiOmM9PQ==\r\n\r\nx-scope_org.id:payments\n", None),
            (f"\n  Api-Key :\t{CANARY} \t\n", {"api-key": CANARY}),
        ],
    )
    def test_are_read(self, content: str, headers: dict[str, str] | None) -> None:
        """Names in any case, values with colons and equals signs in them, blank lines."""
        expected = headers or {"authorization": "Basic YTpiOmM9PQ==", "x-scope_org.id": "payments"}

        assert expected == dict(reveal(parse_otlp_headers(content.encode())))

    @pytest.mark.parametrize(
        ("content", "line", "problem"),
        [
            (f"a: b\n{CANARY}", 2, "must be written as name: value"),
            (f"api-key={CANARY}", 1, "must be written as name: value"),
            (f"api-key={CANARY}:more", 1, "the name before the colon must consist of"),
            (f":authority: {CANARY}", 1, "the name before the colon must consist of"),
            (f"k\u00e9y: {CANARY}", 1, "the name before the colon must consist of"),
            (f"Content-Type: {CANARY}", 1, "the name is one of gRPC's or HTTP's own"),
            (f"grpc-timeout: {CANARY}", 1, "the name is one of gRPC's or HTTP's own"),
            (f"key-bin: {CANARY}", 1, "the name is one of gRPC's or HTTP's own"),
            (f"key: {CANARY}\nKEY: {CANARY}", 2, "the header is there twice"),
            ("api-key:\n", 1, "the value must consist of"),
            (f"key: {CANARY}\r{CANARY}", 1, "the value must consist of"),
            (f"key: {CANARY}\0", 1, "the value must consist of"),
            (f"key: {CANARY}\u00e9", 1, "the value must consist of"),
        ],
    )
    def test_are_refused_without_showing_them(self, content: str, line: int, problem: str) -> None:
        """What cannot be sent over both protocols is found before it is sent; only its line is named."""
        with pytest.raises(OtlpHeadersError) as caught:
            parse_otlp_headers(content.encode())

        assert str(caught.value).startswith(f"line {line}: {problem}")
        assert CANARY not in str(caught.value)

    def test_must_be_in_the_file(self) -> None:
        """A file of blank lines has none."""
        with pytest.raises(OtlpHeadersError, match="has no header"):
            parse_otlp_headers(b" \n\r\n")

    def test_are_shown_by_no_repr(self) -> None:
        """Neither name nor value."""
        assert "key" not in repr(parse_otlp_headers(f"key: {CANARY}".encode()))
