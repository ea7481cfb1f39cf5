"""Runs inputs, and writes down what is wrong with them."""

import sys
import time
from typing import Any, Final

from fuzz.target import Finding, Target, execute

from programs.fuzz.findings import Findings

_SLOW_S: Final = 1.0
"""CPU time of one input; instrumented code is some five times slower than it is in a service."""


class Judge:
    """Judges the executions of one target."""

    def __init__(self, target: Target, findings: Findings) -> None:
        self._target = target
        self._findings = findings

    def run(self, data: Any) -> None:
        """Run one input."""
        content = bytes(data)
        finding, took_s = self._timed(content)
        # Others may have been running as well: only what is slow every time is.
        if finding is None and took_s > _SLOW_S and min(self._timed(content)[1] for _ in range(2)) > _SLOW_S:
            finding = Finding("slow", f"{_SLOW_S:.0f} s of CPU", f"{took_s:.1f} s for {len(content)} bytes")
        if finding is not None and self._findings.add(finding, content):
            print(f"FINDING {finding.signature}", file=sys.stderr, flush=True)

    def _timed(self, data: bytes) -> tuple[Finding | None, float]:
        begun_s = time.thread_time()
        return execute(self._target, data), time.thread_time() - begun_s
