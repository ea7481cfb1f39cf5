"""What proxies and other people's servers do to an answer on its way."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import replace

from zuora_emulator.answers import Answer
from zuora_emulator.faults import Fault, Kind

_TOO_LARGE_BYTES = 2_000_000
_BOMB_BYTES = 50_000_000
_LONG_HEADER_BYTES = 9_000
_SINGLE = ("zuora-request-id", "zuora-track-id", "content-type", "retry-after", "ratelimit-reset")
"""Headers of which an answer has one."""


def damaged(answer: Answer, fault: Fault) -> Answer:
    """Return the answer as it arrives; one that the fault does not concern is unchanged.

    A fault with a status puts it in the place of the answer's own, as if an edge gave up on the call.
    """
    if fault.kind not in _DAMAGES and fault.kind is not Kind.DRIP:
        return answer
    if fault.kind is Kind.DRIP:
        return replace(answer, drip_s=fault.seconds)
    return _DAMAGES[fault.kind](replace(answer, status=fault.status or answer.status))


def _bomb(answer: Answer) -> Answer:
    packed = gzip.compress(answer.body + b" " * _BOMB_BYTES)
    return replace(answer, body=packed).with_headers(("content-encoding", "gzip"))


def _contradictory(answer: Answer) -> Answer:
    return answer.with_headers(*((name, f"other-{value}") for name, value in answer.headers if name in _SINGLE))


_DAMAGES: Mapping[Kind, Callable[[Answer], Answer]] = {
    Kind.CUT: lambda answer: replace(answer, is_cut=True),
    Kind.BAD_CODING: lambda answer: answer.with_headers(("content-encoding", "gzip")),
    Kind.TOO_LARGE: lambda answer: replace(answer, body=answer.body + b" " * _TOO_LARGE_BYTES),
    Kind.BOMB: _bomb,
    Kind.BOM: lambda answer: replace(answer, body=b"\xef\xbb\xbf" + answer.body),
    Kind.UTF_16: lambda answer: replace(answer, body=answer.body.decode().encode("utf-16")),
    Kind.LONG_HEADER: lambda answer: answer.with_headers(("content-security-policy", "x" * _LONG_HEADER_BYTES)),
    Kind.TWICE: lambda answer: answer.with_headers(*(pair for pair in answer.headers if pair[0] in _SINGLE)),
    Kind.CONTRADICTORY: _contradictory,
    Kind.STALE: lambda answer: replace(answer, leaves_stale=True),
}
