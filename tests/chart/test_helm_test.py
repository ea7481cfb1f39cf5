"""`helm test` runs the image's own health check, as its pod says, against the service as the chart configures it."""

import asyncio
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from harness.authority import Authority, Issuer, key_set
from harness.keyring import new_key_file
from zuora_emulator import Emulator, seed, serving

from chart.pod import moved, started
from chart.rendering import CHART, of_kind, render

pytestmark = pytest.mark.timeout(60)
MTLS = CHART / "ci/mtls-values.yaml"
COMMAND = str(Path(sys.executable).parent / "payorch-server")
MEMORY = {
    "store": {"kind": "memory", "url": ""},
    "accept_memory_store": True,
    "tenants": {"default": {"client_id": seed.CLIENT_B.client_id}},
}


async def health(objects: list[dict[str, Any]], folder: Path, port: int) -> int:
    """Return the exit status of what the pod runs, with the Service's address turned to this machine."""
    (pod,) = of_kind(objects, "Pod")
    arguments = [moved(one, folder) for one in pod["spec"]["containers"][0]["args"]]
    there = [one.replace("pay-payorch:50051", f"localhost:{port}") for one in arguments]
    assert there != arguments
    process = await asyncio.create_subprocess_exec(COMMAND, *there, stdout=asyncio.subprocess.DEVNULL)
    return await process.wait()


class TestPod:
    @pytest.mark.asyncio
    async def test_is_content_without_tls(self, tmp_path: Path) -> None:
        async with serving(Emulator()) as url:
            values = {"emulator": {"enabled": True, "port": urlsplit(url).port}, "config": MEMORY}
            objects = await asyncio.to_thread(render, values)
            async with started(objects, tmp_path, {"key": new_key_file().encode()}) as application:
                assert await health(objects, tmp_path, application.grpc_port) == 0

    @pytest.mark.asyncio
    async def test_is_content_with_tls_both_ways(self, tmp_path: Path) -> None:
        """With tls.crt, tls.key and ca.crt of the one Secret; under another authority it is not."""
        authority, other = Authority(), Authority("other")
        server = authority.issue("localhost")
        secret = {"tls.crt": server.certificate, "tls.key": server.key, "ca.crt": authority.certificate}
        async with serving(Emulator()) as url:
            values = {"emulator": {"enabled": True, "port": urlsplit(url).port}, "config": MEMORY}
            objects = await asyncio.to_thread(render, values, scenario=MTLS)
            mounted = {**secret, "key": new_key_file().encode(), "jwks.json": key_set(Issuer())}
            async with started(objects, tmp_path, mounted) as application:
                assert await health(objects, tmp_path, application.grpc_port) == 0
                (tmp_path / "ca.crt").write_bytes(other.certificate)
                assert await health(objects, tmp_path, application.grpc_port) == 1
