"""Every language's package: its code is current, it builds, calls, and installs into an empty project.

The emulator's ledger must hold what the programs said. The example gateways, which three languages have, are
certified. Then the contract is broken in three ways, and every language has
to notice.
"""

import argparse
import asyncio
import importlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

import generate
import structlog

from programs.clients.broken_contract import BROKEN
from programs.clients.languages.calls import WrongError, call, quick_start
from programs.clients.languages.gateways import certified

LANGUAGES: Final = ("python", "go", "typescript", "java", "rust")
_BLOCK: Final = re.compile(r"^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DEFAULT_TARGET: Final = "127.0.0.1:50051"


def main() -> int:
    """Check; return 0, or 1 if anything is wrong or missing."""
    parser = argparse.ArgumentParser(prog="python -m programs.clients.languages", description=__doc__)
    parser.add_argument("--only", choices=LANGUAGES, action="append", help="may be repeated; all unless given")
    chosen = [
        importlib.import_module(f"programs.clients.languages.{name}") for name in parser.parse_args().only or LANGUAGES
    ]
    if missing := [
        f"{need} for {language.NAME}" for language in chosen for need in language.NEEDS if shutil.which(need) is None
    ]:
        print(f"clients: not found on the PATH: {', '.join(missing)}.", file=sys.stderr)
        return 1
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # the service's lines would bury ours
    try:
        results = _checked(chosen)
    except subprocess.CalledProcessError as error:
        print(f"clients: {' '.join(map(str, error.cmd))} failed with status {error.returncode}.", file=sys.stderr)
        return 1
    print(_table(results))
    problems = [f"{name}, {step}: {told}" for name, steps in results.items() for step, told in steps.items() if told]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _checked(chosen: Sequence[ModuleType]) -> dict[str, dict[str, str]]:
    """Return by language what is wrong with each step; nothing where it is right."""
    generate.main(["--check", *(f"--language={language.NAME}" for language in chosen if language.NAME != "python")])
    results: dict[str, dict[str, str]] = {}
    for language in chosen:
        print(f"{language.NAME}: build", flush=True)
        language.build()
        print(f"{language.NAME}: calls", flush=True)
        results[language.NAME] = dict.fromkeys(("build",), "") | asyncio.run(call(language.NAME, language.smoke()))
        results[language.NAME]["install"] = _installed(language)
        if hasattr(language, "gateway"):
            print(f"{language.NAME}: gateway", flush=True)
            results[language.NAME]["gateway"] = certified(language.NAME, language.gateway())
        for name, breach in BROKEN.items():
            with breach.breaking():
                wrong = {
                    step: told for step, told in asyncio.run(call(language.NAME, language.smoke())).items() if told
                }
            results[language.NAME][name] = _unless_noticed(wrong, breach.members)
    fields = _renamed_field_noticed(chosen)
    return {name: steps | {"renamed field": fields.get(name, "")} for name, steps in results.items()}


def _unless_noticed(wrong: Mapping[str, str], members: frozenset[str]) -> str:
    """Return what is wrong unless exactly these members of the error were found to be."""
    named = set(re.findall(r"(\w+) is ", wrong.get("error", "")))
    if set(wrong) == {"error"} and named == members:
        return ""
    return f"found wrong: {wrong or 'nothing'}"


def _installed(language: ModuleType) -> str:
    """Install a package into an empty project and run the first program of its README there."""
    print(f"{language.NAME}: install", flush=True)
    found = _BLOCK.search(Path("clients", language.NAME, "README.md").read_text(encoding="utf-8"))
    if found is None or _DEFAULT_TARGET not in found[1]:
        return "the README begins with no program that connects to " + _DEFAULT_TARGET
    with tempfile.TemporaryDirectory(prefix=f"payorch-{language.NAME}-") as folder:
        return asyncio.run(quick_start(found[1], lambda program: language.install(Path(folder), program)))


def _renamed_field_noticed(chosen: Iterable[ModuleType]) -> dict[str, str]:
    """Rename a field in a copy of the protos; the generated code of every language has to differ."""
    with tempfile.TemporaryDirectory(prefix="payorch-protos-") as folder:
        protos = Path(folder, "protos")
        shutil.copytree(generate.PROTOS, protos)
        file = protos / "payorch/v1/session.proto"
        text = file.read_text(encoding="utf-8")
        renamed = re.sub(r"\btoken = 1\b", "opaque_token = 1", text, count=1)
        if renamed == text:
            raise WrongError("session.proto has no field `token = 1` to rename")
        file.write_text(renamed, encoding="utf-8")
        stale = generate.stale_languages(protos, [language.NAME for language in chosen])
    return {language.NAME: "" if language.NAME in stale else "it was not noticed" for language in chosen}


def _table(results: dict[str, dict[str, str]]) -> str:
    steps = list(dict.fromkeys(step for told in results.values() for step in told))
    lines = [f"{'':18}" + "".join(f"{name:>12}" for name in results)]
    for step in steps:
        cells = [("WRONG" if told[step] else "ok") if step in told else "-" for told in results.values()]
        lines.append(f"{step:18}" + "".join(f"{cell:>12}" for cell in cells))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
