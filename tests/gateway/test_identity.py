"""Behind Envoy callers keep their identities, with the settings that docs/gateway.md shows."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml
from harness.authority import Authority
from harness.requests import session_request
from harness.stack import running

from gateway.calls import SERVICE, Front, as_json, post
from gateway.envoy import envoy_before
from gateway.texts import blocks

AUTHORITY = Authority()
SHOP, STRANGER = "spiffe://example.org/ns/shop/sa/checkout", "spiffe://example.org/ns/other/sa/stranger"
LISTENER, CLUSTER, MESH, OWN, AUTHORITIES = blocks("docs/gateway.md", "yaml")
NAME = "payorch.payments.svc"


def certificates(folder: Path) -> dict[str, Any]:
    """Write everybody's certificates; return the service's settings."""
    (peer,) = yaml.safe_load(MESH)["identity"]["mesh"]["peers"]
    (folder / "ca.crt").write_bytes(AUTHORITY.certificate)
    envoy = AUTHORITY.issue(peer, "127.0.0.1")
    (folder / "tls.crt").write_bytes(envoy.certificate)
    (folder / "tls.key").write_bytes(envoy.key)
    certificate, key = AUTHORITY.issue(NAME).write(folder, "service")
    tls = {"certificate_file": certificate, "key_file": key, "client_ca_file": str(folder / "ca.crt")}
    everything = {"*": {"entities": ["*"], "orgs": ["*"]}}
    shop = {"caller": SHOP, "namespace": "shop", "rpcs": ["*"], "tenants": everything}
    return {"grpc": {"tls": tls}, "access": {"callers": [shop]}, **yaml.safe_load(MESH)}


def with_tls(folder: Path, text: str) -> str:
    """Return the configuration with the transport sockets of the text, and write the files that they name."""
    secrets = folder / "secrets"
    secrets.mkdir()
    for name, content in (("own", OWN), ("authorities", AUTHORITIES)):
        (secrets / f"{name}.yaml").write_text(content.replace("/etc/envoy/tls", str(folder)))
    listener, cluster = (yaml.safe_load(one.replace("/etc/envoy", str(folder))) for one in (LISTENER, CLUSTER))
    document = yaml.safe_load(text)
    resources = document["static_resources"]
    resources["listeners"][0]["filter_chains"][0]["transport_socket"] = listener
    resources["clusters"][0]["transport_socket"] = cluster
    return yaml.safe_dump(document, default_flow_style=None, width=1000)


def caller(folder: Path, *names: str) -> ssl.SSLContext:
    """Return what a caller shows; nothing without names."""
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    if names:
        context.load_cert_chain(*AUTHORITY.issue(*names).write(folder, "caller"))
    return context


@pytest_asyncio.fixture
async def secured(tmp_path: Path) -> AsyncIterator[Front]:
    """Start a service that takes certificates alone, and Envoy with its own."""
    over = certificates(tmp_path)
    async with (
        running(over=over) as stack,
        envoy_before(stack.target, tmp_path, lambda text: with_tls(tmp_path, text)) as envoy,
    ):
        yield Front(stack, envoy)


@pytest.mark.asyncio
async def test_is_the_callers_own(secured: Front, tmp_path: Path) -> None:
    """Whoever is in the policy may call; whoever is not may not."""
    url = f"https://{secured.envoy.address}/{SERVICE}/CreateSession"
    known = await post(url, as_json(session_request()), ssl=caller(tmp_path, SHOP))
    unknown = await post(url, as_json(session_request()), ssl=caller(tmp_path, STRANGER))

    assert 200 == known.status, known.text
    assert (403, "CALLER_NOT_PERMITTED") == (unknown.status, unknown.detail("google.rpc.ErrorInfo")["reason"])


@pytest.mark.asyncio
async def test_is_not_what_a_caller_says(secured: Front, tmp_path: Path) -> None:
    """The header of a caller is dropped."""
    url = f"https://{secured.envoy.address}/{SERVICE}/CreateSession"
    said = {"x-forwarded-client-cert": f"URI={SHOP}"}

    answer = await post(url, as_json(session_request()), said, ssl=caller(tmp_path, STRANGER))

    assert 403 == answer.status
    assert [] == secured.executed


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "name", [f"{STRANGER};URI={SHOP}", f"{STRANGER},URI={SHOP}", f'{STRANGER}"', f"{STRANGER}\\", "other;By=x"]
)
@pytest.mark.parametrize("kind", ["application/json", "application/grpc-web"])
async def test_is_not_hidden_in_a_name(secured: Front, tmp_path: Path, name: str, kind: str) -> None:
    """Envoy would pass it on as several."""
    url = f"https://{secured.envoy.address}/{SERVICE}/CreateSession"

    answer = await post(url, as_json(session_request()), {"content-type": kind}, ssl=caller(tmp_path, name))

    assert 403 == answer.status
    # Every answer of the service has one.
    assert "zuora-track-id" not in answer.headers
    assert [] == secured.executed


@pytest.mark.asyncio
async def test_is_demanded(secured: Front, tmp_path: Path) -> None:
    """Without a certificate there is no connection."""
    url = f"https://{secured.envoy.address}/{SERVICE}/CreateSession"

    with pytest.raises(aiohttp.ClientError):
        await post(url, as_json(session_request()), ssl=caller(tmp_path))


@pytest.mark.asyncio
async def test_is_nobodys_where_no_certificate_is_shown(tmp_path: Path) -> None:
    """The configuration as it stands, without TLS, drops the header too."""
    over = {"identity": {"mesh": {"peers": ["127.0.0.1/32"]}}, "access": certificates(tmp_path)["access"]}
    async with running(over=over) as stack, envoy_before(stack.target, tmp_path) as envoy:
        said = {"x-forwarded-client-cert": f"URI={SHOP}"}

        answer = await Front(stack, envoy).post("CreateSession", as_json(session_request()), said)

    assert (401, "CALLER_UNAUTHENTICATED") == (answer.status, answer.detail("google.rpc.ErrorInfo")["reason"])
