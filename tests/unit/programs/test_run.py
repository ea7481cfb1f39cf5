"""`make run` beside another one."""

import signal
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]


def test_with_port_0_runs_beside_another() -> None:
    """No listener is on an address that the first one has."""
    command = [sys.executable, "-m", "programs.run", "--port", "0"]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        assert process.stdout
        printed = ""
        while "Three calls" not in printed and (line := process.stdout.readline()):
            printed += line
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        status = process.wait()

    assert status == 0, printed
    assert "the emulator on http://127.0.0.1:" in printed
    assert not [port for port in (50051, 50052, 9464, 9080) if f"127.0.0.1:{port}" in printed]
