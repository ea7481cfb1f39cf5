"""A headless Chromium, driven over its DevTools protocol with the HTTP library that is there anyway."""

import asyncio
import base64
import itertools
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

# Without these Chromium asks its maker's hosts at every start.
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_START_S: Final = 60
_COMMAND_S: Final = 30
_POLL_S: Final = 0.05


class MissingProgramError(Exception):
    """A program is not installed; the text names it."""


class PageError(Exception):
    """A page did not do what was expected of it."""


def program(name: str, hint: str) -> str:
    """Find a program.

    Raises:
        MissingProgramError: There is none.
    """
    found = shutil.which(name)
    if not found:
        raise MissingProgramError(f"{name} is needed: {hint}")
    return found


def chromium_program() -> str:
    """Find Chromium.

    Raises:
        MissingProgramError: There is none.
    """
    return program("chromium", "Debian: apt-get install chromium")


class BrowserPage:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.errors: list[str] = []
        """What the page's own scripts did wrong, and what its policy kept out."""

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command of the protocol; return its result.

        Raises:
            PageError: Chromium refuses the command, or does not answer.
        """
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        try:
            async with asyncio.timeout(_COMMAND_S):
                while (message := await self._socket.receive_json()).get("id") != number:
                    self._note(message)
        except (TimeoutError, TypeError) as error:
            raise PageError(f"{method} was not answered") from error
        if "error" in message:
            raise PageError(f"{method}: {message['error']['message']}")
        result: dict[str, Any] = message["result"]
        return result

    def _note(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method == "Runtime.exceptionThrown":
            details = message["params"]["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        if method == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            entry = message["params"]["entry"]
            self.errors.append(f"{entry['text']} {entry.get('url', '')}")

    async def open(self, url: str) -> None:
        """Show an address."""
        await self.send("Page.navigate", url=url)

    async def reload(self) -> None:
        """Show the same address again, as a payer does who waits too long."""
        await self.send("Page.reload")

    async def value(self, expression: str) -> Any:
        """Return what an expression of JavaScript is worth; promises are awaited.

        Raises:
            PageError: It threw.
        """
        answer = await self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise PageError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def until(self, expression: str, *, within_s: float) -> None:
        """Come back when an expression is true, also over a reload of the page.

        Raises:
            PageError: It did not become true in time.
        """
        try:
            async with asyncio.timeout(within_s):
                while not await self.value(expression):
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as error:
            shown = await self.value("document.body.innerText")
            raise PageError(f"after {within_s:g} s not so: {expression}; the page shows: {shown!r}") from error

    async def click(self, selector: str, *, times: int = 1) -> None:
        """Click with the mouse on the middle of an element, as fast as a double click.

        Raises:
            PageError: There is no such element, or it is hidden.
        """
        place = await self.value(
            f"((element) => {{ element.scrollIntoView({{block: 'nearest'}});"
            " const {x, y, width, height} = element.getBoundingClientRect();"
            " return width && {x: x + width / 2, y: y + height / 2}; })"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        if not place:
            raise PageError(f"{selector} cannot be clicked, because it is hidden")
        for count in range(1, times + 1):
            for kind in ("mousePressed", "mouseReleased"):
                await self.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=count, **place)

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        await self.send("Input.insertText", text=text)

    async def photograph(self, file: Path) -> None:
        """Write what is visible to a PNG file."""
        answer = await self.send("Page.captureScreenshot", format="png")
        await asyncio.to_thread(file.write_bytes, base64.b64decode(answer["data"]))


@asynccontextmanager
async def browsing(*, width: int, height: int) -> AsyncIterator[BrowserPage]:
    """Start Chromium with a page of that size; return its only tab.

    Raises:
        MissingProgramError: Chromium is not installed.
        PageError: It does not start.
    """
    name = chromium_program()
    with tempfile.TemporaryDirectory(prefix="payorch-chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            name,
            *FLAGS,
            f"--user-data-dir={profile}",
            "--remote-debugging-port=0",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            port = await _port(process, Path(profile) / "DevToolsActivePort")
            async with (
                aiohttp.ClientSession() as http,
                http.ws_connect(await _tab(http, port), max_msg_size=0) as socket,
            ):
                page = BrowserPage(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await page.send(f"{domain}.enable")
                # The size of the page itself, without the frame of a window.
                await page.send(
                    "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
                )
                yield page
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _port(process: asyncio.subprocess.Process, file: Path) -> int:
    """Return where the protocol is spoken, which Chromium writes into its profile."""
    try:
        async with asyncio.timeout(_START_S):
            while not (lines := _lines(file)):
                if process.returncode is not None:
                    raise PageError(f"Chromium ended with status {process.returncode}")
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        raise PageError(f"Chromium did not start within {_START_S} s") from error
    return int(lines[0])


def _lines(file: Path) -> list[str]:
    """Return the lines of a file that is complete from its second line on; none before."""
    lines = file.read_text().splitlines() if file.exists() else []
    return lines if len(lines) > 1 else []


async def _tab(http: aiohttp.ClientSession, port: int) -> str:
    async with http.get(f"http://127.0.0.1:{port}/json/list") as answer:
        tabs = [tab for tab in await answer.json(content_type=None) if tab["type"] == "page"]
    return str(tabs[0]["webSocketDebuggerUrl"])
