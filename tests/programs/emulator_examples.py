"""Runs the emulator's examples for teams without the service, each against a fresh emulator over a socket.

They are other people's first programs, so they use nothing of this tree; what they did is read from the emulator.
"""

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Final

from zuora_emulator import Emulator, serving

_EXAMPLES: Final = Path(__file__).resolve().parents[1] / "emulator" / "examples"
_PROGRAMS: Final = {"pay.py": sys.executable, "pay.mjs": "node"}
_WITHIN_S: Final = 60


async def _run(name: str, interpreter: str) -> str:
    """Run an example; return what went wrong, or nothing."""
    emulator = Emulator()
    async with serving(emulator) as base_url:
        process = await asyncio.create_subprocess_exec(interpreter, name, base_url, cwd=_EXAMPLES)
        async with asyncio.timeout(_WITHIN_S):
            status = await process.wait()
    if status:
        return f"{name} ended with status {status}"
    outcomes = [entry.outcome for entry in emulator.journal.of("decryption")]
    payments = [entry.amount for entry in emulator.ledger.of("decryption")]
    if outcomes != ["cut", "replayed"] or len(payments) != 1:
        return f"{name}: calls {outcomes}, payments {payments}; one answer must be lost and one payment made"
    return ""


def main() -> int:
    """Run all; exit status 1 if one failed or its language is not installed."""
    for name, interpreter in _PROGRAMS.items():
        print(f"tests/emulator/examples/{name}", flush=True)
        if not shutil.which(interpreter):
            print(f"{interpreter} is needed and not on the PATH.", file=sys.stderr)
            return 1
        if problem := asyncio.run(_run(name, interpreter)):
            print(problem, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
