import pytest
from programs.example.__main__ import main


class TestProgram:
    """`make example`."""

    def test_names_the_browser_that_is_missing(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It fails, rather than passing without a look at the page."""
        monkeypatch.setenv("PATH", "")

        assert main() == 1
        assert capsys.readouterr().err == "make example: chromium is needed: Debian: apt-get install chromium\n"
