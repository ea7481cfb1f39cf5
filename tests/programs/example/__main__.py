"""Pays in the example's shop as a payer does, in a headless Chromium, and checks the emulator's ledger.

make example
make example PICTURES=1

The service and the emulator run in this process, the shop's back end in one of its own, all on loopback. Then
the emulator's page is looked at. The pictures are build/pictures/*.png; `PICTURES=1` replaces those of docs/pictures by
them.
"""

import argparse
import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final, TextIO

from harness.chromium import BrowserPage, MissingProgramError, PageError, browsing, chromium_program
from harness.stack import LocalStack, running
from payorch_server.telemetry.logging import start_logging
from payorch_server.telemetry.settings import TelemetrySettings

from programs.example.emulator_page import look
from programs.example.scenes import PICTURES, SCENES, Scene

ROOT: Final = Path(__file__).resolve().parents[3]
SHOP: Final = ROOT / "clients" / "examples" / "web"
LOG: Final = ROOT / "build" / "example.log"
DOCUMENTED: Final = ROOT / "docs" / "pictures"
_WINDOW: Final = {"width": 560, "height": 500}
_START_S: Final = 60
# A code of Zuora's that hides a decline; without this line of an operator's it would be UNKNOWN.
_TENANT: Final = {"declines": [{"code": "53000060", "message": "Transaction declined."}]}


@contextlib.asynccontextmanager
async def shop(target: str, log: TextIO) -> AsyncIterator[str]:
    """Run the shop's back end against a service; return its address.

    Raises:
        PageError: It does not start.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shop.demo", target, "0"), cwd=SHOP, stdout=asyncio.subprocess.PIPE, stderr=log
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(_START_S):
            first_line = (await process.stdout.readline()).decode()
        if not first_line:
            raise PageError(f"the shop's back end did not start, see {LOG.relative_to(ROOT)}")
        yield first_line.split()[4].partition("/?")[0]
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def play(scene: Scene, page: BrowserPage, stack: LocalStack, url: str) -> None:
    """Show an order and do what the payer does; the ledger must hold what the scene says.

    Raises:
        PageError: The page or the ledger show something else.
    """
    print(f"{scene.title}", flush=True)
    await page.open(f"{url}/?order={scene.order.id}")
    await page.until("document.getElementById('payment')?.dataset.stage === 'new'", within_s=20)
    async for line in scene.act(page, stack):
        print(f"  {line}", flush=True)
    amounts = paid(stack, scene.order.amount)
    if amounts != scene.payments:
        raise PageError(f"the ledger has {amounts} payments of {scene.order.amount}, not {scene.payments}")
    print(f"  the ledger has {amounts} payment{'' if amounts == 1 else 's'} of {scene.order.amount} USD")


def paid(stack: LocalStack, amount: str) -> int:
    """Count the payments of an amount; each order has an amount of its own."""
    return sum(
        "payment_id" in entry.effects and entry.amount == Decimal(amount) for entry in stack.emulator.ledger.entries
    )


async def run(scenes: Sequence[Scene], log: TextIO) -> int:
    """Play all scenes; return how many payments there are in the end."""
    over = {"tenants": {"acme": _TENANT}}
    async with (
        running(tenants=("acme",), over=over) as stack,
        shop(stack.target, log) as url,
        browsing(**_WINDOW) as page,
    ):
        print(f"service on {stack.target}, emulator on {stack.emulator_url}, shop on {url}")
        for scene in scenes:
            await play(scene, page, stack, url)
        payments = sum("payment_id" in entry.effects for entry in stack.emulator.ledger.entries)
        print("the emulator's page")
        async for line in look(page, stack):
            print(f"  {line}", flush=True)
        if page.errors:
            raise PageError(f"the page's scripts failed: {page.errors}")
        return payments


def main(arguments: Sequence[str] = ()) -> int:
    """Run them; exit status 1 if something is missing or went wrong."""
    parser = argparse.ArgumentParser(prog="python -m programs.example")
    parser.add_argument("--pictures", action="store_true", help=f"replace those of {DOCUMENTED.relative_to(ROOT)}")
    is_documenting = parser.parse_args(arguments).pictures
    try:
        chromium_program()
        shutil.rmtree(PICTURES, ignore_errors=True)
        PICTURES.mkdir(parents=True)
        # The audit cannot be silenced, and its lines would come between those of this program.
        with LOG.open("w") as log, contextlib.redirect_stderr(log):
            with contextlib.redirect_stdout(log):
                start_logging(TelemetrySettings(log_format="json"))
            payments = asyncio.run(run(SCENES, log))
    except (MissingProgramError, PageError) as error:
        print(f"make example: {error}", file=sys.stderr)
        return 1
    if is_documenting:
        for picture in sorted(PICTURES.iterdir()):
            shutil.copy(picture, DOCUMENTED)
            print(f"{(DOCUMENTED / picture.name).relative_to(ROOT)} is replaced")
    print(f"{len(SCENES)} orders, 0 wrong; {payments} payments in the ledger, none of them twice")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
