"""`zuora-emulator ... | head`: a reader that leaves first is no error to show."""

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from zuora_emulator import Emulator, serving
from zuora_emulator.cli import _parser

ARGUMENTS = {
    "mint-apple-pay-token": ["--amount", "1", "--currency", "USD"],
    "serve": ["--port", "0"],
}
"""What a command cannot do without."""


def commands() -> list[str]:
    [choices] = [action.choices for action in _parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return list(choices or ())


@pytest.fixture
def no_reader() -> Iterator[int]:
    """A pipe that is read by no process any more."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.asyncio
class TestAReaderThatLeaves:
    """Every command ends quietly, its help too."""

    @pytest.mark.parametrize("help_only", [False, True], ids=["output", "help"])
    @pytest.mark.parametrize("command", commands())
    async def test_is_no_error_to_show(self, command: str, help_only: bool, no_reader: int) -> None:  # noqa: FBT001 - a table
        """Nothing is on standard error, and the exit code of output is the shell's for it."""
        async with serving(Emulator()) as base_url:
            words = ["--help"] if help_only else ARGUMENTS.get(command, [])
            if command == "ledger" and not help_only:
                words = ["--url", base_url]
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "zuora_emulator",
                command,
                *words,
                stdout=no_reader,
                stderr=asyncio.subprocess.PIPE,
            )
            _, errors = await process.communicate()

        assert errors == b""
        # argparse writes the help itself, and passes over what it cannot write.
        assert process.returncode in ({0, 141} if help_only else {141})


class TestAnOutputThatCannotBeWritten:
    """A full disk is a sentence, and no output at all is no mistake."""

    @pytest.mark.parametrize("command", ["fixtures", "scenarios", "serve", "mint-apple-pay-token"])
    def test_is_a_sentence(self, command: str) -> None:
        """It names the output, and not the address that is listened on."""
        with Path("/dev/full").open("wb") as full:
            ended = subprocess.run(_command(command), stdout=full, stderr=subprocess.PIPE, check=False)  # noqa: S603 - ours

        assert (ended.returncode, ended.stderr) == (1, b"Cannot write the output: No space left on device.\n")

    @pytest.mark.parametrize("command", ["fixtures", "scenarios", "mint-apple-pay-token"])
    def test_may_be_closed(self, command: str) -> None:
        """As `>&-` does."""
        shell = ["/bin/sh", "-c", '"$@" >&-', "sh", *_command(command)]
        ended = subprocess.run(shell, stderr=subprocess.PIPE, check=False)  # noqa: S603 - ours

        assert (ended.returncode, ended.stderr) == (0, b"")


def _command(name: str) -> list[str]:
    return [sys.executable, "-m", "zuora_emulator", name, *ARGUMENTS.get(name, [])]
