import gzip
import zlib
from functools import partial
from typing import Any

import pytest
from payorch_server.zuora.content_coding import decompress
from payorch_server.zuora.messages import Damage

# Without a time: the bytes name test cases, which every worker must name alike.
packed = partial(gzip.compress, mtime=0)
TEXT = b'{"success": true, "paymentMethodId": "pm1"}' + b" " * 9000
GZIP, ZLIB = packed(TEXT), zlib.compress(TEXT)
RAW_DEFLATE = ZLIB[2:-4]


class TestDecompress:
    """What HTTP's codings do to a body is undone."""

    @pytest.mark.parametrize(
        ("codings", "body"),
        [
            ("", TEXT),
            ("identity", TEXT),
            ("utf-8", TEXT),
            ("gzip", GZIP),
            ("GZIP", GZIP),
            ("x-gzip", GZIP),
            ("gzip, identity", GZIP),
            ("", GZIP),
            ("gzip", packed(TEXT[:10]) + packed(TEXT[10:])),
            ("gzip", GZIP + bytes(7)),
            ("deflate", ZLIB),
            ("deflate", RAW_DEFLATE),
            ("gzip, gzip", packed(GZIP)),
            ("gzip, gzip", GZIP),
            ("gzip, identity, GZIP", GZIP),
            ("deflate, gzip", packed(ZLIB)),
        ],
    )
    def test_reads_what_servers_send(self, codings: str, body: bytes) -> None:
        """Members follow each other, zeros fill up, and deflate comes with and without its format."""
        assert decompress(body, codings, max_bytes=20_000) == (TEXT, None)

    @pytest.mark.parametrize("codings", ["gzip", "deflate", "br", ""])
    def test_reads_an_empty_body(self, codings: str) -> None:
        """A proxy answers without a body and keeps the field."""
        assert decompress(b"", codings, max_bytes=10) == (b"", None)

    @pytest.mark.parametrize(
        ("codings", "body", "legible"),
        [
            ("gzip", TEXT, TEXT),
            ("deflate", TEXT, TEXT),
            ("gzip, gzip", TEXT, TEXT),
            ("br", b"\x1b\x03", b"\x1b\x03"),
            ("zstd", b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfd"),
            ("gzip", GZIP[:-8], TEXT),
            ("gzip", GZIP[:-4], TEXT),
            ("gzip", GZIP[:-1] + b"?", None),
            ("gzip", GZIP + b"rest", TEXT),
            ("gzip", GZIP + GZIP[:20], TEXT),
            ("deflate", ZLIB + b"rest", TEXT),
            ("deflate", ZLIB[:-4], TEXT),
            ("gzip,gzip,gzip,gzip", GZIP, GZIP),
        ],
    )
    def test_marks_what_cannot_be_read_in_full(self, codings: str, body: bytes, legible: bytes | None) -> None:
        """What precedes the damage is kept, for the ids in it."""
        plain, damage = decompress(body, codings, max_bytes=20_000)

        assert damage is Damage.UNDECODABLE
        assert legible is None or plain[: len(legible)] == legible

    @pytest.mark.parametrize("times", [1, 2])
    def test_stops_at_the_limit(self, times: int) -> None:
        """A megabyte that unpacks to a gigabyte costs what is allowed, in each step."""
        bomb = packed(bytes(5_000_000))
        body, codings = (bomb, "gzip") if times == 1 else (packed(bomb), "gzip, gzip")

        plain, damage = decompress(body, codings, max_bytes=10_000)

        assert (len(plain), damage) == (10_000, Damage.TOO_LARGE)

    def test_stops_at_the_limit_of_many_members(self) -> None:
        """Each is small, and there are many."""
        plain, damage = decompress(packed(bytes(1000)) * 1000, "gzip", max_bytes=10_000)

        assert (len(plain), damage) == (10_000, Damage.TOO_LARGE)

    def test_copies_no_rest_for_each_member(self) -> None:
        """A megabyte of empty members would keep the loop busy for ten seconds."""

        class Counted(bytes):
            copied = 0

            def __getitem__(self, key: Any) -> Any:
                part = super().__getitem__(key)
                Counted.copied += len(part)
                return part

        body = Counted(packed(b"") * 10_000)

        assert decompress(body, "gzip", max_bytes=10_000) == (b"", None)
        assert Counted.copied < 5000 * 10_000

    @pytest.mark.parametrize(("size", "damage"), [(10_000, None), (10_001, Damage.TOO_LARGE)])
    def test_takes_exactly_the_limit(self, size: int, damage: Damage | None) -> None:
        """The limit itself is allowed."""
        assert decompress(packed(bytes(size)), "gzip", max_bytes=10_000) == (bytes(10_000), damage)
