import gzip
import re

import pytest
from harness.http2 import HEADERS
from programs.hostile.__main__ import QUICK, SCENARIOS, main
from programs.hostile.arena import Lengths
from programs.hostile.figures import Bound, Figure, Result, at_least, at_most, problems, table
from programs.hostile.flood import Tally
from programs.hostile.frames import (
    Trailers,
    call_head,
    field,
    gzipped_zeros,
    head_frame,
    integer,
    message,
    trailers,
)
from programs.hostile.log_reader import FORGED, is_ours
from programs.hostile.overload_attack import Load, refusal_cpu_s
from programs.hostile.peer import Stream

MIB = 2**20


class TestBound:
    """What a figure may be."""

    @pytest.mark.parametrize(
        ("bound", "value", "allowed", "reason"),
        [
            (at_most(1), 1, True, "the limit itself"),
            (at_most(1), 1.01, False, "more than the most"),
            (at_least(0.8), 0.8, True, "the limit itself"),
            (at_least(0.8), 0.79, False, "less than the least"),
            (at_most(1), float("inf"), False, "without end"),
            (at_most(1), float("nan"), False, "no number"),
            (at_least(1), float("nan"), False, "no number"),
        ],
    )
    def test_judges(self, bound: Bound, value: float, allowed: bool, reason: str) -> None:  # noqa: FBT001 - a row
        """On both sides, and never in favour of what could not be measured."""
        assert allowed == bound.allows(value), reason

    def test_is_a_phrase(self) -> None:
        """For the table."""
        assert ("at most 450", "at least 0.8") == (str(at_most(450)), str(at_least(0.8)))


GOOD = Result(
    "bombs", "It holds.", [Figure("peak, MB", 121.4, at_most(450)), Figure("livez, s", 0.1, at_most(2), True)], 1
)
BAD = Result("flood", "It stays.", [Figure("sent", 9), Figure("deaths", 1, at_most(0), True, "It ended with -9.")], 1)


class TestTable:
    """One table for all attacks."""

    def test_shows_what_is_of_interest(self) -> None:
        """A line for each figure; those that every attack has, only if they fail."""
        lines = [re.sub(" {2,}", " | ", line) for line in table([GOOD, BAD])]

        assert [
            "attack | promise | figure | measured | bound",
            "bombs | It holds. | peak, MB | 121 | at most 450 | pass",
            "flood | It stays. | sent | 9",
            " | deaths | 1 | at most 0 | FAIL",
        ] == lines

    def test_of_failures_is_in_sentences(self) -> None:
        """With what was seen."""
        assert ["flood: deaths is 1; at most 0 is allowed. It ended with -9."] == [*problems([GOOD, BAD])]
        assert (True, False) == (GOOD.passed, BAD.passed)

    def test_takes_what_is_unlimited(self) -> None:
        """A limit that is not there is a figure too."""
        lines = [*table([Result("core", "It is none.", [Figure("bytes", float("inf"), at_most(0))], 1)])]

        assert "inf" in lines[1]


class TestFrames:
    """HTTP/2 by hand."""

    @pytest.mark.parametrize(
        ("value", "bits", "encoded"),
        [(10, 5, b"\x0a"), (1337, 5, b"\x1f\x9a\x0a"), (42, 8, b"\x2a"), (127, 7, b"\x7f\x00")],
    )
    def test_numbers_are_those_of_the_standard(self, value: int, bits: int, encoded: bytes) -> None:
        """Its own examples. Source: RFC 7541, appendix C.1."""
        assert encoded == integer(value, bits=bits)

    def test_fields_are_written_in_full(self) -> None:
        """Source: RFC 7541, appendix C.2.2 and section 6.2.2."""
        assert b"\x00\x02te\x08trailers" == field(b"te", b"trailers")
        assert b"\x04\x03/a/" in call_head("/a/")

    def test_a_message_may_announce_more_than_it_has(self) -> None:
        """One that is never finished; a flag says whether it is compressed."""
        assert b"\x00\x00\x00\x00\x09ab" == message(b"ab", announced_bytes=9)
        assert b"\x01\x00\x00\x00\x02ab" == message(b"ab", compressed=True)
        assert HEADERS == head_frame(b"", stream=1)[3]

    @pytest.mark.parametrize(
        ("block", "expected"),
        [
            (field(b"grpc-status", b"0"), Trailers(0, has_outcome=False)),
            (field(b"grpc-status", b"14") + field(b"payorch-outcome", b"NOT_SENT"), Trailers(14, has_outcome=True)),
            (field(b"content-type", b"application/grpc"), None),
        ],
    )
    def test_trailers_are_read(self, block: bytes, expected: Trailers | None) -> None:
        """Heads that do not end a call have no status."""
        assert expected == trailers(block)

    @pytest.mark.parametrize("size", [0, 5, MIB, 3 * MIB + 7])
    def test_zeros_unpack_to_their_size(self, size: int) -> None:
        """With the right check sum, so that a reader gets all of them."""
        packed = gzipped_zeros(size)

        assert bytes(size) == gzip.decompress(packed)

    def test_zeros_are_small(self) -> None:
        """A thousandth, as a bomb has to be."""
        assert len(gzipped_zeros(16 * MIB)) < 20_000


class TestLines:
    """Whose a line of the log is."""

    @pytest.mark.parametrize(
        ("line", "ours", "reason"),
        [
            (b'{"event":"call","level":"info","timestamp":"t"}', True, "one of ours"),
            (b'{"event":"access","decision":"allowed"}', False, "without what all of ours have"),
            (b'{"event":"access","level":"info","timestamp":"t","caller":"' + FORGED + b'"}', False, "an attack's"),
            (b"E0000 chttp2_transport.cc:1403] Got goaway", False, "gRPC's own"),
            (b"\xff\xfe", False, "not even text"),
            (b"[1]", False, "JSON that is no object"),
            (b"", False, "empty"),
        ],
    )
    def test_is_found_out(self, line: bytes, ours: bool, reason: str) -> None:  # noqa: FBT001 - a row
        """By its form, and by the mark of the attacks."""
        assert ours is is_ours(line), reason


def load(*, ok: int, sent: int, cpu_s: float) -> Load:
    return Load(Tally(sent=sent, ok=ok, refused=sent - ok, seconds=1.0), cpu_s)


class TestOverload:
    """What saying no costs."""

    def test_refusals_cost_what_successes_leave(self) -> None:
        """At 100 successes per CPU second, 80 take 0.8 s; 200 refusals share the rest."""
        cost_s = refusal_cpu_s(load(ok=80, sent=280, cpu_s=1.0), best=100)

        assert 0.001 == pytest.approx(cost_s)

    def test_refusals_are_free_where_successes_take_all(self) -> None:
        """A best load that was measured too low does not make a refusal cost less than nothing."""
        assert 0 == refusal_cpu_s(load(ok=80, sent=280, cpu_s=0.7), best=100)

    @pytest.mark.parametrize(
        ("stream", "expected"),
        [
            (Stream(1, 0.0, 0, has_message=True, trailers=Trailers(0, has_outcome=False)), Tally(ok=1)),
            (Stream(1, 0.0, 0, trailers=Trailers(8, has_outcome=True)), Tally(refused=1)),
            (Stream(1, 0.0, 0, trailers=Trailers(1, has_outcome=False)), Tally(bare=1)),
            (Stream(1, 0.0, 0, was_reset=True), Tally(bare=1)),
        ],
    )
    def test_calls_are_counted_by_their_end(self, stream: Stream, expected: Tally) -> None:
        """An error that does not name an outcome is none of the service's."""
        tally = Tally()

        tally.count(stream)

        assert expected == tally


class TestScenarios:
    """The list of attacks."""

    def test_have_names_of_their_own_and_a_sentence_each(self) -> None:
        """Names are arguments; promises are rows of a table."""
        names = [scenario.name for scenario in SCENARIOS]

        assert len(names) == len(set(names))
        assert all(re.fullmatch(r"[a-z-]+", name) for name in names)
        assert all(re.fullmatch(r"[A-Z][^.]*\.", scenario.promise) for scenario in SCENARIOS)

    def test_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Without any process."""
        assert 0 == main(["--list", "--only", "gzip-bombs"])
        assert capsys.readouterr().out.startswith("gzip-bombs  ")

    def test_that_do_not_exist_are_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With the names that do."""
        with pytest.raises(SystemExit):
            main(["--only", "nothing"])

        assert "'gzip-bombs'" in capsys.readouterr().err

    def test_may_be_shorter(self) -> None:
        """For machines with other work, and in no length longer."""
        full = Lengths()

        assert all(getattr(QUICK, name) < getattr(full, name) for name in Lengths.__slots__ if name != "slack")
