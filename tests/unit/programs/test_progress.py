"""Long commands show what they do, in few lines."""

import os
import subprocess
import sys
from pathlib import Path

import progress
import pytest

_NOISY = "for number in range(5000): print('package', number)"


class TestRun:
    """run."""

    def test_shows_the_last_line_while_the_command_runs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The last one of words; this command does not end before it was shown."""
        os.mkfifo(tmp_path / "seen")
        program = f"{_NOISY}\nprint('  ...')\nimport sys; sys.stdout.flush(); open({str(tmp_path / 'seen')!r}).read()"
        shown: list[str] = []

        def show(line: str, **_options: bool) -> None:
            shown.append(line.partition(" s  ")[2])
            if shown[-1] == "package 4999" and shown.count("package 4999") == 1:
                (tmp_path / "seen").write_text("")

        monkeypatch.setattr("builtins.print", show)
        progress.run(sys.executable, "-c", program, interval_s=0.01)

        assert shown[-1] == "package 4999"
        assert len(shown) < 5000

    def test_is_silent_about_a_short_command(self, capfd: pytest.CaptureFixture[str]) -> None:
        """Its caller has printed what it begins."""
        progress.run(sys.executable, "-c", _NOISY)

        assert capfd.readouterr() == ("", "")

    def test_shows_what_a_failed_command_wrote(self, capfd: pytest.CaptureFixture[str]) -> None:
        """On both of its outputs, at most the last thousand lines."""
        program = f"{_NOISY}\nimport sys; sys.stdout.flush(); sys.exit('no such package')"

        with pytest.raises(subprocess.CalledProcessError, match="exit status 1"):
            progress.run(sys.executable, "-c", program)

        lines = capfd.readouterr().err.splitlines()
        assert lines[-2:] == ["package 4999", "no such package"]
        assert len(lines) == 1000


class TestMain:
    """`python tools/progress.py`."""

    def test_ends_as_its_command_does(self) -> None:
        """So make stops."""
        assert progress.main([sys.executable, "-c", "import sys; sys.exit(3)"]) == 3

    def test_names_a_program_that_is_missing(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Without a stack trace."""
        assert progress.main(["no-such-program", "build"]) == 127
        assert capsys.readouterr().err == "no-such-program is not installed.\n"
