"""Letting a language's program call a service that was not called before, and comparing what both sides saw."""

import asyncio
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from harness.requests import minted_token
from harness.stack import LocalStack, running
from payorch_server.zuora.retry import MAX_ATTEMPTS

_PROGRAM_S: Final = 120.0
_FAULTS: Final = MAX_ATTEMPTS + 1
"""One more than the service itself sends within a call, so that its caller's second call is needed."""
_EXECUTED: Final = {"session": "sessions", "apple-pay": "decryption", "method": "payment_methods", "retry": "sessions"}
STEPS: Final = ("session", "apple_pay", "method", "intent", "error", "retry", "ledger")


class WrongError(Exception):
    """Something that was expected is not so."""


async def call(language: str, command: Sequence[str]) -> dict[str, str]:
    """Run a smoke program; return by step what is wrong with it, nothing where it is right."""
    with tempfile.TemporaryDirectory(prefix="payorch-smoke-") as folder:
        token = Path(folder, "token.json")
        token.write_bytes(minted_token())  # noqa: ASYNC240 - before anything runs
        async with running() as stack:
            told = await _told([*command, stack.target, str(token)], stack)
    problems = {step: _difference(told.get(step), expected) for step, expected in _expected(language).items()}
    problems["ledger"] = _ledger(stack, language)
    return problems


async def _told(command: Sequence[str], stack: LocalStack) -> dict[str, dict[str, Any]]:
    """Return what the program says, by step; before its last call the emulator is told to fail for a while."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.ensure_future(process.stderr.read())
    told: dict[str, dict[str, Any]] = {}
    try:
        async with asyncio.timeout(_PROGRAM_S):
            while line := await process.stdout.readline():
                said = json.loads(line)
                told[said.pop("step")] = said
                if "ready" in told and not process.stdin.is_closing():
                    for _ in range(_FAULTS):
                        stack.emulator.faults.add("sessions:503")
                    process.stdin.write(b"\n")
                    process.stdin.close()
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        said_wrong = (await errors).decode(errors="replace").strip()
    if process.returncode:
        told["exit"] = {"status": process.returncode, "said": said_wrong[-2000:]}
    return told


def _expected(language: str) -> dict[str, dict[str, Any]]:
    """Return what a program must say; None stands for a value that is not empty."""
    return {
        "session": {"track_id": f"smoke-{language}-session", "replayed": "REPLAY_NO", "token_length": 32},
        "apple_pay": {"track_id": f"smoke-{language}-apple-pay", "payment_method_id": None, "payment_id": None},
        "method": {"track_id": f"smoke-{language}-method", "payment_method_id": None},
        "intent": {"state": "INTENT_STATE_SETTLED"},
        "error": {
            "code": 5,
            "reason": "UPSTREAM_NOT_FOUND",
            "outcome": "OUTCOME_REFUSED",
            "advice": "ADVICE_FIX_REQUEST",
            "track_id": f"smoke-{language}-error",
            "zuora_codes": None,
        },
        "retry": {"track_id": f"smoke-{language}-retry", "token_length": 32},
        "exit": {},
    }


def _difference(said: dict[str, Any] | None, expected: dict[str, Any]) -> str:
    if not expected:
        return "" if said is None else f"status {said['status']}: {said['said']}"
    if said is None:
        return "it said nothing"
    wrong = [
        name for name, value in expected.items() if not (said.get(name) if value is None else said.get(name) == value)
    ]
    return "; ".join(f"{name} is {said.get(name)!r}, not {expected[name] or 'anything'!r}" for name in wrong)


def _ledger(stack: LocalStack, language: str) -> str:
    """Compare what was executed with what was called: once each, under the program's Track-Ids."""
    executed = sorted(
        (entry.operation, str(entry.track_id)) for entry in stack.emulator.ledger.entries if entry.operation != "token"
    )
    wanted = sorted((operation, f"smoke-{language}-{step}") for step, operation in _EXECUTED.items())
    return "" if executed == wanted else f"executed were {executed}, not {wanted}"


async def quick_start(program: str, install: Callable[[str], Sequence[str]]) -> str:
    """Install a package, run a program that creates one session, and return what is wrong."""
    async with running() as stack:
        command = await asyncio.to_thread(install, program.replace("127.0.0.1:50051", stack.target))
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(_PROGRAM_S):
            output, errors = await process.communicate()
        executed = stack.emulator.ledger.count("sessions")
    if process.returncode:
        return f"status {process.returncode}: {errors.decode(errors='replace')[-2000:]}"
    if executed != 1:
        return f"{executed} sessions were created"
    return "" if output.strip() else "it printed nothing"
