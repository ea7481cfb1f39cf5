"""Whether errors reach grpc.aio, grpc-js and grpc-go whole, however much there is to tell.

Each language has a small program of its own that makes the same calls and prints what it reads in the errors.
"""

import argparse
import asyncio
import base64
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import generate
import progress
from harness.service_process import grpc_port, write_configuration
from harness.stack import SOLO_TENANT
from zuora_emulator import Emulator, serving

from programs.clients.cases import TRACK_ID, Case, cases
from programs.clients.report import Answer, problems_with, table
from programs.clients.upstream import longest_texts

_HERE: Final = Path(__file__).parent
_BUILD: Final = generate.ROOT / "build" / "clients"
_TYPES: Final = _BUILD / "soft.binpb"
_GO_PROGRAM: Final = _BUILD / "go-client"
_ANSWER_S: Final = 60.0


class ClientsError(Exception):
    """The comparison cannot be made."""


@dataclass(frozen=True, slots=True)
class Programs:
    """What other languages need."""

    go: str
    node: str
    npm: str

    @property
    def commands(self) -> dict[str, Sequence[str]]:
        """How each language's program is started."""
        return {
            "python": (sys.executable, str(_HERE / "python" / "client.py")),
            "node": (self.node, str(_HERE / "node" / "client.js")),
            "go": (str(_GO_PROGRAM),),
        }


def main() -> int:
    """Compare; return 0, or 1 if anything differs or is missing."""
    parser = argparse.ArgumentParser(prog="python -m programs.clients.run", description=__doc__)
    parser.add_argument("--go", default="go", help="the go command (default %(default)s)")
    try:
        programs = _programs(parser.parse_args().go)
        _prepare(programs)
        return asyncio.run(_compare(programs))
    except (ClientsError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1


def _programs(go: str) -> Programs:
    found = {name: shutil.which(name) for name in (go or "go", "node", "npm")}
    if missing := [Path(name).name for name, path in found.items() if path is None]:
        raise ClientsError(f"Go 1.26 and Node.js 20 with npm, or newer, are needed; not found: {', '.join(missing)}.")
    return Programs(*(str(path) for path in found.values()))


async def _compare(programs: Programs) -> int:
    tried = cases()
    answers = {}
    for name, command in programs.commands.items():
        print(f"Calling with {name}", flush=True)
        answers[name] = await _ask(command, tried)
    problems = {
        (case.name, name): problems_with(case, answer[index])
        for index, case in enumerate(tried)
        for name, answer in answers.items()
    }
    print(table(tried, answers, problems))
    for (case, language), found in problems.items():
        for problem in found:
            print(f"{case}, {language}: {problem}", file=sys.stderr)
    return 1 if any(problems.values()) else 0


def _prepare(programs: Programs) -> None:
    """Compile the protos with Google's error types, install grpc-js, build the Go program."""
    _BUILD.mkdir(parents=True, exist_ok=True)
    ours = sorted(str(path.relative_to(generate.PROTOS)) for path in generate.PROTOS.rglob("*.proto"))
    generate.build_images(_BUILD, [*ours, "google/rpc/status.proto", "google/rpc/error_details.proto"])
    print("Installing grpc-js", flush=True)
    npm = (programs.npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=http")
    progress.run(*npm, folder=_HERE / "node")
    print("Building the program with grpc-go", flush=True)
    progress.run(programs.go, "build", "-v", "-buildvcs=false", "-o", _GO_PROGRAM, ".", folder=_HERE / "go")


async def _ask(command: Sequence[str], tried: Sequence[Case]) -> list[Answer]:
    """Let one program make the calls to a service that was not called before."""
    async with _service() as target:
        calls = [
            {"method": case.path, "request": base64.b64encode(case.request).decode(), "track_id": TRACK_ID}
            for case in tried
        ]
        plan = _BUILD / "plan.json"
        plan.write_text(json.dumps({"target": target, "calls": calls}))
        answers: list[Answer] = json.loads(await _output(*command, str(plan), str(_TYPES), within_s=_ANSWER_S))
    if len(answers) != len(tried):
        raise ClientsError(f"{Path(command[-1]).name} gave {len(answers)} answers to {len(tried)} calls.")
    return answers


async def _output(*command: str, within_s: float) -> bytes:
    process = await asyncio.create_subprocess_exec(*command, cwd=_HERE, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(within_s):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ClientsError(f"{' '.join(command[:2])} did not end within {within_s:.0f} s.") from None
    if process.returncode:
        raise ClientsError(f"{' '.join(command[:2])} failed with status {process.returncode}.")
    return output


@asynccontextmanager
async def _service() -> AsyncIterator[str]:
    """Run the service as a process, one tenant with the emulator and one with the longest texts; yield its address."""
    with tempfile.TemporaryDirectory(prefix="payorch-clients-") as folder:
        async with serving(Emulator()) as emulator, longest_texts() as upstream:
            over = {"tenants": {SOLO_TENANT: {"base_url": upstream}}}
            file = write_configuration(Path(folder), emulator, over)
            command = (sys.executable, "-m", "programs.clients.many_attempts", str(file))
            process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
            )
            try:
                port = await grpc_port(process)
                assert process.stderr is not None
                drain = asyncio.ensure_future(process.stderr.read())
                yield f"127.0.0.1:{port}"
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()
            await drain


if __name__ == "__main__":
    sys.exit(main())
