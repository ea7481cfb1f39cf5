"""The index at `/` and the web page: for people. A client of Zuora that asks for `/` gets Zuora's answer."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zuora_emulator.answers import MARKER
from zuora_emulator.control_base import INDEX_PATH, Endpoint, control_answer, index_of

_FOLDER: Final = Path(__file__).parent / "page_files"
_METHODS: Final = ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"]
_TYPES: Final = {"page.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; img-src data:; script-src 'self'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)


def page_routes(endpoints: Sequence[Endpoint], missing: Callable[[Request], Response]) -> list[Route]:
    """Return the routes of the index and of the page's files.

    Args:
        endpoints: What the index lists.
        missing: Makes Zuora's answer for a path that it does not have.
    """

    async def index(request: Request) -> Response:
        # A call with credentials, or one that would change something, is meant for Zuora, which has nothing here.
        if request.method not in {"GET", "HEAD"} or "authorization" in request.headers:
            return missing(request)
        if "text/html" in request.headers.get("accept", ""):
            return _file("page.html")
        return control_answer(200, index_of(endpoints), vary="accept")

    async def file(request: Request) -> Response:
        return _file(request.scope["path"].rpartition("/")[2])

    files = [Route(f"{INDEX_PATH}/{name}", file) for name in ("page.css", "page.js")]
    return [Route("/", index, methods=_METHODS), *files]


def _file(name: str) -> Response:
    headers = dict([MARKER]) | {
        "cache-control": "no-store",
        "content-security-policy": _POLICY,
        "referrer-policy": "no-referrer",
        "vary": "accept",
        "x-content-type-options": "nosniff",
    }
    return Response(_content(name), headers=headers, media_type=_TYPES[name])


@cache
def _content(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()
