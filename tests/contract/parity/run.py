"""Asking both sides."""

from datetime import datetime
from importlib import metadata

import httpx
from contract.parity.asking import Answer, Asker
from contract.parity.cases import CASES, Case
from contract.parity.comparing import differences
from contract.parity.report import Report, Result
from contract.parity.subject import Subject, emulated
from zuora_emulator import Emulator
from zuora_emulator.apple_tokens import PUBLISHED_MERCHANT, minted_token

_TIMEOUT_S = 130.0
"""A little more than the longest that Zuora works on a call of v1."""


async def compare(
    other: Subject | None, *, emulator: Emulator, now: datetime, run: str
) -> tuple[Report, frozenset[str]]:
    """Ask both all cases in order, and return the report with the secrets that may not be in it.

    Args:
        other: The tenant, or None to ask the emulator alone.
        emulator: A fresh one, with the switches that are to be compared.
        now: The time of the report.
        run: A text that is new in each run, for idempotency keys.

    Raises:
        SetUpError: The tenant gives no access token.
    """
    token = minted_token(
        merchant_id=PUBLISHED_MERCHANT, amount_minor=100, currency_numeric="840", now=emulator.clock.now()
    )
    here = emulated("http://emulator", apple_token=token, like=other)
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(emulator.app), base_url=here.base_url) as near,
        httpx.AsyncClient(base_url=other.base_url if other else here.base_url, timeout=_TIMEOUT_S) as far,
    ):
        asked_here = Asker(here, near, run=run)
        asked_there = Asker(other, far, run=run) if other else None
        results = [await _result(case, asked_here, asked_there, other) for case in CASES]
    report = Report(
        at=now,
        asked=other.base_url if other else "",
        emulated=any(answer.emulated for result in results for answer in result.seen or ()),
        version=metadata.version("payorch-zuora-emulator"),
        results=results,
    )
    secrets = other.secrets() | asked_there.tokens if other and asked_there else frozenset()
    return report, frozenset(secrets)


async def _result(case: Case, here: Asker, there: Asker | None, other: Subject | None) -> Result:
    expected = await here.ask(case)
    lacks = other.lacks(case.needs) if other else ()
    if there is None or lacks:
        return Result(case=case, expected=expected, lacks=lacks)
    seen: list[Answer] = await there.ask(case)
    return Result(case=case, expected=expected, seen=seen, differences=differences(expected, seen))
