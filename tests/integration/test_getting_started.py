"""docs/getting-started.md is executed, as one script in one shell."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness.ports import free_port

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|text)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PORTS = ("9080", "50051", "50052", "9464")
MARK = "--- next block ---"


def script() -> str:
    """Return the commands, on free ports, each block followed by a mark; without the installation, which is done."""
    installation, *commands = [text for language, text in BLOCKS if language == "sh"]
    assert "make setup" in installation
    text = f"echo '{MARK}'\n".join(["", *commands])
    for port in PORTS:
        text = re.sub(rf"\b{port}\b", str(free_port()), text)
    return text


@pytest.mark.timeout(120)
def test_does_and_shows_what_the_page_says(tmp_path: Path) -> None:
    """Every line that the page shows is printed by the block before it; `...` stands for anything."""
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path)}

    done = subprocess.run(  # noqa: S603 - the page's own
        ["/bin/bash", "-euo", "pipefail", "-c", "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n" + script()],
        check=False, cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip

    assert 0 == done.returncode, done.stdout + done.stderr
    printed = done.stdout.split(MARK)
    commands = -2  # before the installation, whose output is not here
    for language, text in BLOCKS:
        commands += language == "sh"
        for line in text.splitlines() if language == "text" else ():
            expected = ".*".join(re.escape(part) for part in line.split("..."))
            assert re.search(expected, printed[commands + 1]), (line, printed[commands + 1])
