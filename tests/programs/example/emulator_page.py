"""Looks at the emulator's page after the shop's orders, and at what a hostile caller can do to it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Final

import httpx
from harness.chromium import BrowserPage, PageError
from harness.stack import LocalStack
from zuora_emulator import seed

from programs.example.scenes import MAX_BYTES, PICTURES

WINDOW: Final = {"width": 1000, "height": 500, "deviceScaleFactor": 1, "mobile": False}
_ENTER: Final = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
_NARROW: Final = 360
_SOON_S: Final = 20
_UNANSWERED: Final = "19.00"
"""The amount of the order that is paid without an answer."""
_MARKUP: Final = "<img src=x onerror=document.title='executed'>"
_SHOWN: Final = "Number(document.body?.dataset.shown ?? 0)"


async def look(page: BrowserPage, stack: LocalStack) -> AsyncIterator[str]:
    """Use the page as a person does; yield a line for each step.

    Raises:
        PageError: It shows something else, or executes what callers sent.
    """
    emulator = stack.emulator
    emulator.faults.clear()
    await page.send("Emulation.setDeviceMetricsOverride", **WINDOW)
    await page.open(stack.emulator_url)
    await page.until(f"{_SHOWN} > 0 && !!document.querySelector('#scenario option')", within_s=_SOON_S)
    yield await _one_order(page, stack)
    yield await _picture(page)

    await page.value("document.querySelector('#fault input').focus()")
    await page.type("sessions:503")
    await page.click("#fault button")
    await page.until("document.querySelector('#faults').innerText.includes('sessions:503 1 to come')", within_s=_SOON_S)
    _check([str(each["fault"]) for each in emulator.faults.waiting()], ["sessions:503"], "faults")
    await page.click("#faults button")
    await page.until("document.querySelector('#faults').innerText === 'none'", within_s=_SOON_S)
    _check(emulator.faults.waiting(), [], "faults")
    yield "a fault was switched on and off"

    await page.value("document.querySelector('#fault input').value = 'nonsense'")
    await page.click("#fault button")
    await page.until("document.querySelector('#problem').innerText.includes('nonsense')", within_s=_SOON_S)
    refusal = await page.value("document.querySelector('#problem').innerText")
    yield f"a fault that is none: {refusal}"
    # The refusal is an answer of 400, which the browser reports; nothing else may be on its list.
    page.errors[:] = [error for error in page.errors if "400 (Bad Request)" not in error]

    yield await _hostile(page, stack)
    async for line in _elsewhere(page, stack):
        yield line


async def _one_order(page: BrowserPage, stack: LocalStack) -> str:
    """Show the calls of the payment that was executed although its caller got no answer."""
    [paid] = [entry for entry in stack.emulator.ledger.entries if entry.amount == Decimal(_UNANSWERED)]
    await page.value(f"document.querySelector('#filter input').value = '{paid.track_id}'")
    await page.click("#filter button")
    await page.until("document.querySelectorAll('#journal h3').length === 1", within_s=_SOON_S)
    row = str(await page.value("document.querySelectorAll('#journal tr')[1].innerText"))
    for expected in ("POST /v1/payment-methods/decryption", "no answer", paid.effects["payment_id"]):
        if expected not in row:
            raise PageError(f"the page does not show {expected} of {paid.track_id}, but {row!r}")
    return f"the page shows the calls of {paid.track_id} with its payment"


async def _picture(page: BrowserPage) -> str:
    file = PICTURES / "emulator.png"
    await page.photograph(file)
    if file.stat().st_size > MAX_BYTES:
        raise PageError(f"{file.name} is too large for the repository")
    return f"{file.name}: {file.stat().st_size} bytes"


async def _hostile(page: BrowserPage, stack: LocalStack) -> str:
    """Send markup wherever the journal shows what callers sent; it must be text."""
    headers = {"zuora-track-id": _MARKUP, "idempotency-key": _MARKUP}
    async with httpx.AsyncClient(base_url=stack.emulator_url, trust_env=False) as http:
        await http.post("/web-payments/sessions", json={"type": _MARKUP, _MARKUP: _MARKUP}, headers=headers)
    stack.emulator.journal.entries[-1].answer = {_MARKUP: _MARKUP}  # no answer has any by itself
    await page.value("document.querySelector('#filter').reset()")
    await page.click("#filter button")
    await page.until(f"document.querySelector('#journal h3').textContent === {_MARKUP!r}", within_s=_SOON_S)
    found = await page.value(
        "[document.title.includes('executed'), document.querySelectorAll('#journal img, #journal script').length,"
        f" document.querySelector('#journal table').textContent.split({_MARKUP!r}).length > 4]"
    )
    _check(found, [False, 0, True], "markup of a caller: executed, elements, shown as text")
    return "markup in Track-Id, headers, body and answer is shown as text"


async def _elsewhere(page: BrowserPage, stack: LocalStack) -> AsyncIterator[str]:
    """Show markup of a world and of a refusal, put some in as a careless script would, and make the window narrow."""
    stack.emulator.state.add(replace(seed.ACCOUNT_US, number=_MARKUP))
    await page.value(f"document.querySelector('#fault input').value = {_MARKUP!r}")
    await page.value("document.querySelector('#fault input').focus()")
    for kind in ("keyDown", "keyUp"):  # the form is sent without a pointer
        await page.send("Input.dispatchKeyEvent", type=kind, **_ENTER)
    await page.until("document.querySelector('#problem').textContent.includes('onerror')", within_s=_SOON_S)
    await page.until(f"document.querySelector('#accounts').textContent.includes({_MARKUP!r})", within_s=_SOON_S)
    found = await page.value("[document.title.includes('executed'), document.querySelectorAll('img').length]")
    _check(found, [False, 0], "markup of an account and of a refusal: executed, elements")
    careless = f"(() => {{ try {{ document.body.innerHTML = {_MARKUP!r} }} catch {{ return true }} }})()"
    refused = await page.value(careless)
    _check(refused, True, "the policy refuses markup")
    page.errors[:] = [error for error in page.errors if not ("TrustedHTML" in error or "400 (Bad Request)" in error)]
    yield "markup in an account and in a refusal is shown as text, and the policy refuses any other"

    await page.send("Emulation.setDeviceMetricsOverride", **WINDOW | {"width": _NARROW})
    _check(await page.value("document.documentElement.scrollWidth"), _NARROW, "width of the page in a narrow window")
    stack.emulator.journal.entries.clear()
    await page.until("document.querySelector('#journal').innerText === 'No call has arrived.'", within_s=_SOON_S)
    yield "a narrow window shows the whole width, and an empty journal a sentence"


def _check(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise PageError(f"{what}: {found}, not {expected}")
