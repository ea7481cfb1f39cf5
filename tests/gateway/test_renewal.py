"""Envoy with the settings of docs/gateway.md shows a renewed certificate without a restart."""

import asyncio
import ssl
from pathlib import Path

import pytest
from harness.authority import Issued
from harness.stack import running

from gateway.envoy import envoy_before
from gateway.test_identity import AUTHORITY, SHOP, caller, certificates, with_tls

_RENEWED_S = 10.0


def mount(folder: Path, issued: Issued) -> None:
    """Write a certificate as the kubelet brings a changed Secret into a pod: a folder of its own, and a link moved."""
    fresh = folder / f"..{len(list(folder.iterdir()))}"
    fresh.mkdir()
    for name, content in (("tls.crt", issued.certificate), ("tls.key", issued.key), ("ca.crt", AUTHORITY.certificate)):
        (fresh / name).write_bytes(content)
    (folder / "..next").symlink_to(fresh.name)
    (folder / "..next").replace(folder / "..data")
    for name in ("tls.crt", "tls.key", "ca.crt"):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")


async def shown(address: str, context: ssl.SSLContext) -> bytes:
    """Return the certificate that a new connection is shown."""
    host, _, port = address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname="127.0.0.1")
    certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return certificate


@pytest.mark.asyncio
async def test_is_shown_from_the_next_handshake_on(tmp_path: Path) -> None:
    """The Secret changes, and soon new connections see the new certificate."""
    over = certificates(tmp_path)
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    mount(mounted, AUTHORITY.issue("spiffe://example.org/ns/gateway/sa/envoy", "127.0.0.1"))
    context = caller(tmp_path, SHOP)
    async with (
        running(over=over) as stack,
        envoy_before(stack.target, tmp_path, lambda text: with_tls(mounted, text)) as envoy,
    ):
        first = await shown(envoy.address, context)

        mount(mounted, AUTHORITY.issue("spiffe://example.org/ns/gateway/sa/envoy", "127.0.0.1"))

        async with asyncio.timeout(_RENEWED_S):
            while await shown(envoy.address, context) == first:
                await asyncio.sleep(0.1)
