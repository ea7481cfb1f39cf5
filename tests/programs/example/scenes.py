"""What payers do with the orders of the example's shop, and what goes wrong meanwhile."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.chromium import BrowserPage, PageError
from harness.stack import LocalStack
from shop.demo import ORDERS, Order

_ROOT: Final = Path(__file__).resolve().parents[3]
PICTURES: Final = _ROOT / "build" / "pictures"
MAX_BYTES: Final = 100_000
_SOON_S: Final = 20
_IN_DOUBT_S: Final = 60
_BUTTON: Final = "#stand-in"
_RETRY: Final = "#payment-retry"
_IBAN: Final = "DE89370400440532013000"


# Behaves as Apple's does towards the page. What a device would sign comes from the stand-in's address.
_APPLE_PAY_SESSION: Final = """
window.ApplePaySession = class {
  static STATUS_SUCCESS = 0;
  static STATUS_FAILURE = 1;
  static canMakePayments() { return true; }
  constructor(version, request) { this.request = request; }
  async begin() {
    window.sheet = "open";
    if (!window.isMerchantValidated) {
      const validationURL = "https://apple-pay-gateway.apple.com/paymentservices/startSession";
      return this.onvalidatemerchant({ validationURL });
    }
    const order = new URLSearchParams(location.search).get("order");
    const token = await (await fetch(`/stand-in/${order}`, { method: "POST" })).json();
    return this.onpaymentauthorized({ payment: { token } });
  }
  completeMerchantValidation() { window.sheet = "validated"; }
  completePayment(status) { window.sheet = status === 0 ? "success" : "failure"; }
  abort() { window.sheet = "aborted"; }
};
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """What happens to one order."""

    title: str
    order: Order
    payments: int
    """How many the ledger must have of its amount in the end."""
    act: Callable[[BrowserPage, LocalStack], AsyncIterator[str]]
    """Does it; yields a line for each step."""


async def _stage(page: BrowserPage, stage: str, *, part: str = "payment", within_s: float = _SOON_S) -> str:
    await page.until(f"document.getElementById('{part}')?.dataset.stage === '{stage}'", within_s=within_s)
    return str(await page.value(f"document.getElementById('{part}-text').textContent"))


async def _picture(page: BrowserPage, name: str) -> str:
    file = PICTURES / f"example-{name}.png"
    await page.photograph(file)
    if file.stat().st_size > MAX_BYTES:
        raise PageError(f"{file.name} is too large for the repository")
    return f"{file.relative_to(_ROOT)}: {file.stat().st_size} bytes"


async def _offers_nothing(page: BrowserPage) -> None:
    """Check that there is nothing to click on for a payment.

    Raises:
        PageError: There is.
    """
    if await page.value("[...document.querySelectorAll('#payment button')].some((button) => !button.hidden)"):
        raise PageError("there is still a button to pay")


async def _pay_twice(page: BrowserPage, _stack: LocalStack) -> AsyncIterator[str]:
    yield await _picture(page, "order")
    await page.click(_BUTTON, times=2)
    yield f"clicked twice: {await _stage(page, 'done')}"
    yield await _picture(page, "paid")
    await page.reload()
    yield f"reloaded: {await _stage(page, 'done')}"
    await _offers_nothing(page)


async def _pay_after_a_decline(page: BrowserPage, stack: LocalStack) -> AsyncIterator[str]:
    stack.emulator.faults.add("decryption:declined_as_fault")
    await page.click(_BUTTON)
    yield f"clicked: {await _stage(page, 'declined')}"
    yield await _picture(page, "declined")
    await page.click(_BUTTON)
    yield f"another card: {await _stage(page, 'done')}"


async def _wait_in_doubt(page: BrowserPage, stack: LocalStack) -> AsyncIterator[str]:
    stack.emulator.faults.add("decryption:drop_after", times="always")
    await page.click(_BUTTON, times=2)
    yield f"clicked twice, and every answer is lost: {await _stage(page, 'in_doubt', within_s=_IN_DOUBT_S)}"
    await _offers_nothing(page)
    yield await _picture(page, "in-doubt")
    await page.reload()
    yield f"reloaded: {await _stage(page, 'in_doubt')}"
    stack.emulator.faults.clear("decryption")
    yield f"answers arrive again, the page asks: {await _stage(page, 'done', within_s=_IN_DOUBT_S)}"


async def _retry(page: BrowserPage, stack: LocalStack) -> AsyncIterator[str]:
    stack.emulator.faults.add("decryption:429:60")
    await page.click(_BUTTON)
    yield f"clicked: {await _stage(page, 'not_sent')}"
    yield await _picture(page, "not-sent")
    await page.click(_RETRY, times=2)
    yield f"tried again: {await _stage(page, 'done')}"


async def _half(page: BrowserPage, stack: LocalStack) -> AsyncIterator[str]:
    stack.emulator.faults.add("decryption:declined")
    await page.click(_BUTTON)
    yield f"clicked: {await _stage(page, 'review')}"
    await page.reload()
    yield f"reloaded: {await _stage(page, 'review')}"
    await _offers_nothing(page)
    yield await _picture(page, "review")


async def _for_later(page: BrowserPage, stack: LocalStack) -> AsyncIterator[str]:
    await page.click("summary")
    await page.click("#iban")
    await page.type(_IBAN)
    await page.click("#debit-form button", times=2)
    yield f"direct debit: {await _stage(page, 'done', part='debit')}"
    await page.click("#card", times=2)
    await page.until("document.getElementById('card-text').textContent.includes('session token')", within_s=_SOON_S)
    shown = await page.value("document.getElementById('card-text').textContent")
    yield f"card: {shown}"
    counts = [stack.emulator.ledger.count(operation) for operation in ("payment_methods", "sessions")]
    if counts != [1, 1]:
        raise PageError(f"the ledger has {counts} direct debits and sessions, not one of each")


async def _in_safari(page: BrowserPage, _stack: LocalStack) -> AsyncIterator[str]:
    script = await page.send("Page.addScriptToEvaluateOnNewDocument", source=_APPLE_PAY_SESSION)
    await page.reload()
    await page.until("document.querySelector('#apple-pay')?.hidden === false", within_s=_SOON_S)
    await page.click("#apple-pay")
    await page.until("window.sheet === 'aborted'", within_s=_SOON_S)
    shown = await page.value("document.getElementById('payment-text').textContent")
    yield f"without a merchant identity: {shown}"
    if not all("/apple-pay/session" in error for error in page.errors):
        raise PageError(f"the page's scripts failed: {page.errors}")
    page.errors.clear()  # Chromium counts the back end's refusal as an error of the page
    await page.value("window.isMerchantValidated = true")
    await page.click("#apple-pay")
    yield f"with one: {await _stage(page, 'done')}"
    await page.until("window.sheet === 'success'", within_s=_SOON_S)
    await page.send("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])


SCENES: Final = (
    Scene("A double click and a reload", ORDERS[0], 1, _pay_twice),
    Scene("A declined card, then another one", ORDERS[1], 1, _pay_after_a_decline),
    Scene("No answer, so the outcome is not known", ORDERS[2], 1, _wait_in_doubt),
    Scene("A payment that is not sent", ORDERS[3], 1, _retry),
    Scene("A method without its payment", ORDERS[4], 0, _half),
    Scene("A bank account and a card for later", ORDERS[5], 0, _for_later),
    Scene("A browser that has Apple Pay", ORDERS[6], 1, _in_safari),
)
