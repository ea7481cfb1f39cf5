"""TLS in front of a real Redis; the packaged server is built without it, so a proxy ends it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from harness.authority import Authority
from harness.redis_server import RedisServer
from integration.store.conftest import Stores, fresh_prefix
from payorch_server.store.port import StoredValue, StoreUnavailable

pytestmark = pytest.mark.asyncio


def written(path: Path, content: bytes) -> Path:
    """Write a file; return its path."""
    path.write_bytes(content)
    return path


def certificate(authority: Authority, path: Path, *, address: str) -> Path:
    """Write a certificate for the address, and its key, into one file."""
    issued = authority.issue(address)
    return written(path, issued.certificate + issued.key)


@asynccontextmanager
async def proxied(server: RedisServer, *, certificate: Path, client_ca: Path | None = None) -> AsyncIterator[str]:
    """End TLS in front of the server and give the address for it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
    context.load_cert_chain(certificate)
    context.verify_mode = ssl.CERT_REQUIRED if client_ca else ssl.CERT_NONE

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        except OSError:
            pass  # A client that does not trust us hangs up.
        finally:
            sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as proxy:
        yield f"rediss://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        proxy.close()


async def test_trusted_server(stores: Stores, shared_server: RedisServer, tmp_path: Path) -> None:
    """A certificate from ca_file for the right name passes, on every connection."""
    authority = Authority()
    ca_file = written(tmp_path / "ca.pem", authority.certificate)
    pem = certificate(authority, tmp_path / "server.pem", address="127.0.0.1")
    async with proxied(shared_server, certificate=pem) as url:
        store = stores.open(shared_server, url=url, ca_file=str(ca_file), prefix=fresh_prefix())

        await store.check()
        await store.put_if_absent("k", b"v", ttl_s=60)
        found = await asyncio.gather(*(store.get("k") for _ in range(10)))
        await store.close()

    assert found == [StoredValue(b"v", 1)] * 10


async def test_client_certificate(stores: Stores, shared_server: RedisServer, tmp_path: Path) -> None:
    """A server that asks for a certificate gets ours."""
    authority = Authority()
    ca_file = written(tmp_path / "ca.pem", authority.certificate)
    pem = certificate(authority, tmp_path / "server.pem", address="127.0.0.1")
    ours = certificate(authority, tmp_path / "client.pem", address="127.0.0.2")
    async with proxied(shared_server, certificate=pem, client_ca=ca_file) as url:
        trusting = {"url": url, "ca_file": str(ca_file), "prefix": fresh_prefix()}
        store = stores.open(shared_server, client_certificate_file=str(ours), **trusting)
        without = stores.open(shared_server, **trusting)

        await store.put_if_absent("k", b"v", ttl_s=60)
        found = await store.get("k")
        with pytest.raises(StoreUnavailable):
            await without.get("k")
        await asyncio.gather(store.close(), without.close())

    assert found == StoredValue(b"v", 1)


@pytest.mark.parametrize(("address", "trusted"), [("127.0.0.1", False), ("127.0.0.2", True)], ids=["issuer", "name"])
async def test_untrusted_server(
    stores: Stores, shared_server: RedisServer, tmp_path: Path, address: str, *, trusted: bool
) -> None:
    """A certificate of another issuer or for another name ends it before anything is sent."""
    authority = Authority()
    ca_file = written(tmp_path / "ca.pem", authority.certificate)
    pem = certificate(authority, tmp_path / "server.pem", address=address)
    async with proxied(shared_server, certificate=pem) as url:
        store = stores.open(shared_server, url=url, ca_file=str(ca_file) if trusted else "")

        with pytest.raises(StoreUnavailable, match="get: TLS with the server fails"):
            await store.get("k")
