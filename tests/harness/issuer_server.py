"""The HTTPS server of an issuer of tokens, for tests: it answers bytes by path, and keeps what it was asked."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.authority import Authority, Issuer, key_set
from harness.raw_server import listening

DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/keys"


def http_answer(body: bytes, *, status: str = "200 OK", **headers: str) -> bytes:
    """Return an answer as it is on the wire; names of fields are written with underscores."""
    fields = {"content-length": str(len(body))} | {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


@dataclass(slots=True)
class IssuerServer:
    """What it answers, and what it was asked."""

    url: str = ""
    """Without a slash at its end."""
    answers: dict[str, bytes] = field(default_factory=dict)
    """By path; others are 404."""
    heads: list[str] = field(default_factory=list)
    """Of all requests."""
    stalled: bool = False
    """Whether it reads requests and answers nothing."""
    held: asyncio.Event | None = None
    """Answers wait for it."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by every request."""

    def publish(self, *issuers: Issuer, **headers: str) -> None:
        """Answer with the keys of issuers, and with a discovery document that names their URL."""
        self.answers[KEYS] = http_answer(key_set(*issuers), **headers)
        self.discover()

    def discover(self, **members: object) -> None:
        """Answer with a discovery document that has other members than the good one."""
        document = {"issuer": self.url, "jwks_uri": f"{self.url}{KEYS}"} | members
        self.answers[DISCOVERY] = http_answer(json.dumps(document).encode())

    def asked_for(self, path: str) -> int:
        """Return how many requests named a path."""
        return sum(head.startswith(f"GET {path} ") for head in self.heads)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the connection ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                self.heads.append(head)
                self.asked.set()
                if self.stalled:
                    await reader.read()
                    return
                if self.held:
                    await self.held.wait()
                writer.write(self.answers.get(head.split()[1], http_answer(b"", status="404 Not Found")))
                await writer.drain()


@asynccontextmanager
async def issuer_server(folder: Path, *, names: tuple[str, ...] = ("127.0.0.1",)) -> AsyncIterator[IssuerServer]:
    """Serve over TLS on a free port of loopback; the authority of its certificate is written to issuer-ca.pem.

    Args:
        folder: For its files.
        names: In its certificate.
    """
    authority, server = Authority(), IssuerServer()
    (folder / "issuer-ca.pem").write_bytes(authority.certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue(*names).write(folder, "issuer"))
    async with listening(server.serve, tls=context) as port:
        server.url = f"https://127.0.0.1:{port}"
        yield server
