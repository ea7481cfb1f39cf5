"""Runs a target with inputs, without instrumentation; shows what is wrong with each, or makes it smaller."""

import argparse
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fuzz.all_targets import names, target_of
from fuzz.target import Finding, Target, execute, listening

from programs.fuzz.findings import Findings, minimised

FOUND: Final = 3
"""Status of a process that found something; that of one which crashes is 1."""
_LEAST_BYTES: Final = 2 * 1024 * 1024
_BYTES_PER_BYTE: Final = 100
"""An input may take so much memory for each of its bytes, beyond what any may take."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 0 if nothing is wrong with any input, FOUND otherwise."""
    parser = argparse.ArgumentParser(prog="python -m programs.fuzz.replay", description=__doc__)
    parser.add_argument("target", choices=names())
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--minimise", action="store_true", help="write each input that has a finding again, smaller")
    parser.add_argument("--weigh", type=Path, metavar="FINDINGS", help="measure memory instead; write findings there")
    chosen = parser.parse_args(arguments)
    target = target_of(chosen.target)
    wrong = 0
    with listening():
        for file in chosen.files:
            data = file.read_bytes()
            finding = weighed(target, data) if chosen.weigh else execute(target, data)
            if finding is None:
                continue
            wrong += 1
            if chosen.weigh:
                Findings(target.name, chosen.weigh).add(finding, data)
            if chosen.minimise:
                data = _smaller(target, data, finding.signature)
                Findings(target.name, file.parent).add(execute(target, data) or finding, data)
            print(f"{file}: {finding.signature}\n{finding.text}", flush=True)
    return FOUND if wrong else 0


def _smaller(target: Target, data: bytes, signature: str) -> bytes:
    def is_same(shorter: bytes) -> bool:
        found = execute(target, shorter)
        return found is not None and found.signature == signature

    return minimised(data, is_same)


def weighed(target: Target, data: bytes) -> Finding | None:
    """Return a finding where an input takes far more memory than it has bytes; what is cached is warm by then."""
    execute(target, data)
    tracemalloc.start()
    try:
        execute(target, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    if peak <= _LEAST_BYTES + _BYTES_PER_BYTE * len(data):
        return None
    return Finding("memory", "bytes for each byte of input", f"{peak} bytes for {len(data)}")


if __name__ == "__main__":
    sys.exit(main())
