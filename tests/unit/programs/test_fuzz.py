"""What a finding is: each kind is planted once."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from fuzz.target import CANARY, Target, execute, listening, note, require
from programs.fuzz.__main__ import Run, _after, table
from programs.fuzz.findings import Findings, inputs_in, minimised
from programs.fuzz.judge import Judge
from programs.fuzz.replay import weighed

SECRET = f"card={CANARY}".encode()


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    with listening():
        yield


def target(run: Callable[[bytes], None]) -> Target:
    """Make a target."""
    return Target("planted", run, lambda: (b"",), covers=())


def raises_with_the_input(data: bytes) -> None:
    """Refuse an input, and quote it."""
    note(ValueError(data.decode()))


def raises_from_the_input(data: bytes) -> None:
    """Refuse an input with an error that comes from one that quotes it."""
    error = KeyError()
    error.__context__ = ValueError(data.decode())
    note(error)


def breaks_a_promise(data: bytes) -> None:
    """Accept what may not be accepted."""
    require(not data, "nothing is accepted")


def crashes(data: bytes) -> None:
    """Raise what no contract names."""
    data.decode("ascii")[99]


def logs(data: bytes) -> None:
    """Log an input."""
    structlog.get_logger("payorch.test").warning("refused", given=data.decode())


def logs_through_a_library(data: bytes) -> None:
    """Log an input in a text that begins with it."""
    logging.getLogger("library").warning(f"{CANARY[:6]} {data.decode()}")  # noqa: G004 - the defect that is planted


def is_careful(data: bytes) -> None:
    """Log that something was refused, and refuse it."""
    logging.getLogger("library").warning("Refused %s", data)
    structlog.get_logger("payorch.test").warning("refused", size=len(data))
    note(ValueError("refused"))


class TestExecution:
    """What is wrong with an execution."""

    @pytest.mark.parametrize(
        ("run", "signature"),
        [
            (raises_with_the_input, "leak ValueError"),
            (raises_from_the_input, "leak KeyError"),
            (logs, "leak log line refused"),
            (breaks_a_promise, "promise nothing is accepted"),
            (crashes, "crash IndexError in test_fuzz.py crashes"),
            (is_careful, None),
            (logs_through_a_library, None),
        ],
    )
    def test_is_found(self, run: Callable[[bytes], None], signature: str | None) -> None:
        """Each kind has a signature of its own; of a library's line the service writes its first words alone."""
        finding = execute(target(run), SECRET)

        assert signature == (finding and finding.signature)


class TestMemory:
    """What an input takes while it is parsed."""

    @pytest.mark.parametrize(("size", "is_found"), [(1_000_000, False), (10_000_000, True)])
    def test_has_a_bound(self, size: int, is_found: bool) -> None:  # noqa: FBT001 - a column of the table
        """Two megabytes, and a hundred bytes for each of the input."""
        finding = weighed(target(lambda data: require(len(bytes(size)) > len(data), "it is short")), SECRET)

        assert is_found == (finding is not None)


class TestReplay:
    """A process of its own weighs the inputs that were kept."""

    @pytest.mark.parametrize(("name", "failed"), [("identity_header", ""), ("no-such-target", "replay ended with 2")])
    def test_that_cannot_run_fails_the_target(self, tmp_path: Path, name: str, failed: str) -> None:
        """Otherwise no finding would mean that nothing was looked at."""
        corpus = tmp_path / "corpus"
        corpus.mkdir()
        (corpus / "input").write_bytes(b"input")
        run = Run(name)

        _after(run, tmp_path, tmp_path / "findings")

        assert failed == run.failed


class TestFindings:
    """What is written down."""

    def test_are_the_smallest_inputs(self, tmp_path: Path) -> None:
        """One input for each place and kind, with the command that replays it."""
        judge = Judge(target(crashes), Findings("planted", tmp_path))

        for size in (90, 80, 85):
            judge.run(b"a" * size)

        (file,) = inputs_in(tmp_path)
        assert len(file.read_bytes()) == 80
        assert f"programs.fuzz.replay planted {file}" in file.with_name(f"{file.name}.txt").read_text()

    def test_lose_what_plays_no_part(self) -> None:
        """Pieces are removed as long as the finding remains."""
        assert minimised(b"much before X and much behind Y", lambda data: b"X" in data and b"Y" in data) == b"XY"


class TestTable:
    """The figures at the end."""

    def test_has_a_line_for_each_target(self) -> None:
        """A target that could not run has no number of findings."""
        runs = [Run("one", executions=500, edges=7, corpus=3, seconds=2.0), Run("another", failed="ended with 1")]

        assert list(table(runs)) == [
            "target   executions  exec/s  edges  corpus      findings",
            "one             500     250      7       3             0",
            "another           0       0      0       0  ended with 1",
        ]
