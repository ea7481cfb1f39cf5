import base64
from pathlib import Path

import pytest
from harness.keyring import new_key_file
from payorch_server.config.fleet_keys import read_keys
from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - that the file was read is the subject
from payorch_server.store.keyring import Keyring
from payorch_server.store.settings import KeySettings

RANDOM = bytes.fromhex("9f1c3ae2475b08d6617cfa20b3954e8d12e7a4c05f3b6989d04e17c2aa835b76")
LINE = base64.b64encode(RANDOM)


def read(file: Path, content: bytes) -> tuple[bytes, list[str]]:
    """Read a file as the key `one`; return the secret and the problems."""
    file.write_bytes(content)
    problems: list[str] = []
    ((_, secret),) = read_keys("keys", [KeySettings(id="one", file=str(file))], problems)
    return reveal(secret), problems


def text_of(secret: bytes) -> bytes:
    """Return bytes as base64."""
    return base64.b64encode(secret)


class TestReadKeys:
    """A key file is a line of base64."""

    @pytest.mark.parametrize("content", [LINE, LINE + b"\n", LINE + b"\r\n", b" \t" + LINE + b" \n\n"])
    def test_are_the_same_whatever_surrounds_the_line(self, tmp_path: Path, content: bytes) -> None:
        """A vault or a shell drops the newline at the end."""
        assert read(tmp_path / "key", content) == (LINE + b"\n", [])

    def test_unseal_what_was_sealed_with_the_bytes_of_the_file(self, tmp_path: Path) -> None:
        """The file that `openssl rand -base64 32` writes meant its 45 bytes, newline included."""
        whole = Keyring([("one", Secret(LINE + b"\n"))], entropy=bytes)
        key_id, sealed = whole.seal(b"result", purpose="test")

        secret, _ = read(tmp_path / "key", LINE)

        assert Keyring([("one", Secret(secret))], entropy=bytes).unseal(key_id, sealed, purpose="test") == b"result"
        assert whole.keyed_hash("one", b"x") == Keyring([("one", Secret(secret))], entropy=bytes).keyed_hash(
            "one", b"x"
        )

    def test_take_every_random_key(self, tmp_path: Path) -> None:
        """What is refused as weak is never what chance makes."""
        assert [read(tmp_path / "key", new_key_file().encode())[1] for _ in range(500)] == [[]] * 500

    @pytest.mark.parametrize(
        ("content", "problem", "reason"),
        [
            (RANDOM, "contains raw bytes; a key is one line of base64", "raw bytes"),
            (b"\x01" * 32, "contains raw bytes; a key is one line of base64", "raw bytes in ASCII"),
            (b"\xef\xbb\xbf" + LINE, "begins with a byte order mark; save it without one", "an editor's mark"),
            (LINE + b"\n" + LINE, "has several lines; a key is one line of base64", "two keys"),
            (LINE[:20] + b"\n" + LINE[20:], "has several lines; a key is one line of base64", "a wrapped line"),
            (b"FLEET_KEY=" + LINE, "contains name=value; write the value alone", "a variable"),
            (b"key: " + LINE, "contains name=value; write the value alone", "YAML"),
            (b" \n", "is empty; make one with `openssl rand -base64 32`", "white space alone"),
            (b"", "is empty", "nothing"),
            (LINE[:-1], "is not base64 of random bytes; make one", "a character lost"),
            (LINE.replace(LINE[5:6], b"-"), "is not base64 of random bytes; make one", "base64 of URLs"),
            (RANDOM.hex().encode(), "is not base64 of random bytes; make one", "hexadecimal"),
            (RANDOM.hex().upper().encode(), "is not base64 of random bytes; make one", "hexadecimal, upper case"),
            (b"correcthorsebatterystaplecorrecthorsebattery", "is not base64 of random bytes; make one", "words"),
            (text_of(RANDOM[:24]), "has 24 bytes in base64 and must have at least 32; make one", "a short key"),
            (text_of(b"correct horse battery staple and so on"), "can be guessed: it encodes a text", "words inside"),
            (text_of(LINE + b"\n"), "can be guessed: it encodes a text", "encoded twice"),
            (text_of(b"k" * 32), "is not base64 of random bytes; make one", "one byte"),
            (text_of(bytes(32)), "is not base64 of random bytes", "zeros"),
            (text_of(b"\x00\xff" * 16), "can be guessed: its bytes repeat", "two bytes"),
            (text_of(RANDOM[:16] * 2), "can be guessed: its bytes repeat", "a short key twice"),
            (text_of(bytes(range(32))), "can be guessed: its bytes repeat", "counting"),
        ],
    )
    def test_refuse_other_forms_and_what_can_be_guessed(
        self, tmp_path: Path, content: bytes, problem: str, reason: str
    ) -> None:
        """The sentence names the file and the remedy, and shows nothing of the content."""
        file = tmp_path / "fleet-key"

        _, (found,) = read(file, content)

        assert found.startswith(f"keys.0 (one).file: {file} {problem}"), reason
        assert not [text for text in (LINE.decode()[:8], "horse", RANDOM.hex()[:8]) if text in found], reason
