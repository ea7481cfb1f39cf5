"""The conformance of the clients: each case of cases.yaml by each language, against the service and the emulator.

Each language has a runner, which makes the calls and says what it saw. It reads one JSON object per line:

    case      name
    connect   target, operators (target of the listener for operators), plaintext, tls (files: ca_file,
              certificate_file, key_file) or null, tokens (the supplier returns the first one, and with each request to
              refresh the next) or null, resend ({attempts, within_s}, or false: off) or null: as the client does
    calls     rpc, request (base64 of the message), deadline_s or null, track_id, cancel_after_s or null, reuse (pass
              the very object of the call before)

and answers each with one:

    case            name
    connect_error   text, if connecting was refused, or null
    token_calls     the arguments of the supplier's calls
    calls           for each: kind (ok, argument, not_sent, refused, partial, unknown or cancelled), request_after
                    (base64 of the caller's message after the call); of a success answer (base64); of an argument error
                    text; of any other error text, code, reason, outcome, advice, message, hint, violations (field,
                    rule, description), metadata, retry_delay_s, resend_before (bool), track_id, request_id,
                    zuora_codes, existing (ids of method and payment), attempts (number)
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import structlog

from programs.clients.conformance.broken import BROKEN
from programs.clients.conformance.judge import problems
from programs.clients.conformance.table import Case, cases, planned
from programs.clients.conformance.worlds import connection, world_of

_SUMMARY: Final = "Run each case of cases.yaml by each language, against the service and the emulator."
_QUIET: Final = ("env", "GRPC_VERBOSITY=NONE")
_RUNNERS: Final = Path(__file__).parent / "runners"
_JAVA: Final = _RUNNERS / "java" / "target"
_JAVA_NEWEST: Final = ("java", "-cp", f"{_JAVA / 'classes'}:{_JAVA / 'lib'}/*", "conformance.Runner")
_JAVA_OLDEST: Final = ("java", "-cp", f"{_JAVA / 'classes'}:{_RUNNERS}/java/oldest/target/lib/*", "conformance.Runner")
RUNNERS: Final[Mapping[str, Sequence[str]]] = {
    "python": (*_QUIET, sys.executable, str(_RUNNERS / "python.py"), "threads"),
    "python-aio": (*_QUIET, sys.executable, str(_RUNNERS / "python.py"), "tasks"),
    "python-oldest": (*_QUIET, "build/clients/python-oldest/bin/python", str(_RUNNERS / "python.py"), "threads"),
    "python-middle": (*_QUIET, "build/clients/python-middle/bin/python", str(_RUNNERS / "python.py"), "tasks"),
    "typescript": ("node", str(_RUNNERS / "typescript" / "dist" / "main.js")),
    "go": ("build/clients/runner-go",),
    "java": (*_JAVA_NEWEST, "blocking"),
    "java-futures": (*_JAVA_NEWEST, "futures"),
    "java-oldest": (*_JAVA_OLDEST, "blocking"),
    "rust": ("build/clients/rust/debug/payorch-conformance",),
}
"""How the runner of each language is started."""
_AT_A_TIME: Final = 2
_ANSWER_S: Final = 60.0
_CASES_A_LINE: Final = 20
"""After so many there is a line that says how far it is."""
_MOST_BYTES: Final = 2**24
_RUNNER: Final = "the runner"


class RunnerError(Exception):
    """A runner ended, or did not answer."""


def main(given: Sequence[str] | None = None) -> int:
    """Check; return 0, or 1 if a case fails."""
    parser = argparse.ArgumentParser(prog="python -m programs.clients.conformance", description=_SUMMARY)
    parser.add_argument("--only", choices=tuple(RUNNERS), action="append", help="a language; may be repeated")
    parser.add_argument("--case", default="", help="cases whose names contain this")
    arguments = parser.parse_args(given)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # the service's lines would bury ours
    chosen = [case for case in cases() if arguments.case in case.name]
    languages = arguments.only or tuple(RUNNERS)
    results = asyncio.run(checked(chosen, languages))
    print(table(chosen, results))
    if not arguments.case:
        results |= _unnoticed(languages)
    failed = {(case, language): found for (case, language), found in results.items() if found}
    for (case, language), found in failed.items():
        for problem in found:
            print(f"{case}, {language}: {problem}", file=sys.stderr)
    print(f"{len(chosen)} cases by {len(languages)} languages, {len(failed)} failures")
    return 1 if failed else 0


def _unnoticed(languages: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """Break the contract in some ways; return for each and for each language what is wrong if it is not noticed."""
    results = {}
    for name, breach in BROKEN.items():
        with breach.breaking():
            found = asyncio.run(checked([case for case in cases() if case.name == breach.case], languages))
        for (_, language), problems_found in found.items():
            noticed = bool(problems_found) and not any(problem.startswith(_RUNNER) for problem in problems_found)
            print(f"{language}: {name} {'is noticed' if noticed else 'IS NOT NOTICED'}")
            results[name, language] = [] if noticed else [f"it was not noticed: {problems_found or 'nothing is wrong'}"]
    return results


async def checked(chosen: Sequence[Case], languages: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """Return what is wrong, by case and language; nothing where all is right."""
    free = asyncio.Semaphore(_AT_A_TIME)  # beside more of them, deadlines and handshakes would measure the machine

    async def of(language: str) -> list[tuple[Case, list[str]]]:
        async with free:
            return await _by_language(chosen, language)

    found = await asyncio.gather(*map(of, languages))
    return {(case.name, language): wrong for language, row in zip(languages, found, strict=True) for case, wrong in row}


async def _by_language(chosen: Sequence[Case], language: str) -> list[tuple[Case, list[str]]]:
    results = []
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(_runner(language))
        for case in chosen:
            try:
                results.append((case, await _checked(case, process)))
            except RunnerError as error:
                results.append((case, [str(error)]))
                process = await stack.enter_async_context(_runner(language))
            if len(results) % _CASES_A_LINE == 0:
                print(f"{language}: {len(results)} of {len(chosen)} cases", flush=True)
    return results


@asynccontextmanager
async def _runner(language: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a language's runner until the block ends."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*RUNNERS[language], stdin=pipe, stdout=pipe, limit=_MOST_BYTES)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _checked(case: Case, process: asyncio.subprocess.Process) -> list[str]:
    calls = planned(case)
    with tempfile.TemporaryDirectory(prefix="payorch-case-") as folder:
        async with world_of(case, Path(folder)) as world:
            line = {"case": case.name, "connect": connection(case, world), "calls": [call.wire for call in calls]}
            seen = await _asked(process, line)
            return problems(case, calls, seen, world)


async def _asked(process: asyncio.subprocess.Process, line: Mapping[str, Any]) -> dict[str, Any]:
    """Give a runner a case; return what it saw.

    Raises:
        RunnerError: It ended, or did not answer.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(line).encode() + b"\n")
    try:
        async with asyncio.timeout(_ANSWER_S):
            answer = await process.stdout.readline()
    except TimeoutError:
        raise RunnerError(f"{_RUNNER} did not answer within {_ANSWER_S:.0f} s") from None
    if not answer:
        raise RunnerError(f"{_RUNNER} ended")
    seen: dict[str, Any] = json.loads(answer)
    return seen


def table(chosen: Sequence[Case], results: Mapping[tuple[str, str], list[str]]) -> str:
    """Return cases by languages."""
    languages = list(dict.fromkeys(language for _, language in results))
    width = max((len(case.name) for case in chosen), default=0)
    lines = [" " * width + "".join(f"{language:>14}" for language in languages)]
    for case in chosen:
        cells = ["ok" if not results[case.name, language] else "WRONG" for language in languages]
        lines.append(f"{case.name:{width}}" + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
