"""The example's shop asks Apple, and no one else, for the session of the payment sheet."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from harness.authority import Authority
from harness.shop import MERCHANT, opened
from payorch.testing import FakePayorch
from shop.apple import HOSTS, Merchant, MerchantValidationError, apple_address

pytest_plugins = ["payorch.testing.pytest_plugin"]
HOST = "apple-pay-gateway.apple.com"
URL = f"https://{HOST}/paymentservices/paymentSession"


class TestAddresses:
    """Those that the page may name."""

    @pytest.mark.parametrize("host", sorted(HOSTS))
    @pytest.mark.parametrize("name", ["startSession", "paymentSession"])
    def test_of_apple_are_taken(self, host: str, name: str) -> None:
        """With and without the port that https has anyway."""
        address = f"https://{host}/paymentservices/{name}"

        assert [apple_address(address), apple_address(address.replace(host, f"{host}:443"))] == [address, address]

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "https://",
            "http://apple-pay-gateway.apple.com/paymentservices/startSession",
            "https://169.254.169.254/paymentservices/startSession",
            "https://localhost/paymentservices/startSession",
            "https://apple-pay-gateway.apple.com.evil.example/paymentservices/startSession",
            "https://evil.example/apple-pay-gateway.apple.com/paymentservices/startSession",
            "https://apple-pay-gateway.apple.com@evil.example/paymentservices/startSession",
            "https://evil.example@apple-pay-gateway.apple.com/paymentservices/startSession",
            "https://apple-pay-gateway.apple.com:8443/paymentservices/startSession",
            "https://apple-pay-gateway.apple.com\\@evil.example/paymentservices/startSession",
            "https://evil.example#https://apple-pay-gateway.apple.com/paymentservices/startSession",
            "https://apple-pay-gateway.apple.com/paymentservices/../admin",
            "https://apple-pay-gateway.apple.com/paymentservices/startSession?next=https://evil.example",
            "https://apple-pay-gateway.apple.com/paymentservices/startSession#fragment",
            "https://evil-apple-pay-gateway.apple.com/paymentservices/startSession",
            "https://[::1/paymentservices/startSession",
            "file:///etc/passwd",
        ],
    )
    def test_of_others_are_refused(self, url: str) -> None:
        """Otherwise a page could make the back end call any host of its network."""
        with pytest.raises(MerchantValidationError, match="not one of Apple's"):
            apple_address(url)


@pytest.fixture
def local_apple(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Resolve every host to a port of this machine, which the test puts into the list."""
    ports: list[int] = []

    async def resolve(_self: AbstractResolver, host: str, *_port: Any, **_family: Any) -> list[ResolveResult]:
        there = {"host": "127.0.0.1", "port": ports[0], "family": socket.AF_INET}
        return [ResolveResult(hostname=host, proto=0, flags=0, **there)]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    return ports


@asynccontextmanager
async def apple(authority: Authority, ports: list[int], folder: Path, answer: web.Response) -> AsyncIterator[list[Any]]:
    """Serve in Apple's place, to callers with a certificate; return what they sent."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.certificate.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(*authority.issue(HOST).write(folder, "apple"))
    received: list[Any] = []

    async def handle(request: web.Request) -> web.Response:
        received.append(await request.json())
        return answer

    application = web.Application()
    application.add_routes([web.post("/paymentservices/paymentSession", handle)])
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        ports.append(runner.addresses[0][1])
        yield received
    finally:
        await runner.cleanup()


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Return one that this process trusts."""
    made = Authority()
    (tmp_path / "authority.pem").write_bytes(made.certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return made


@pytest.fixture
def merchant(authority: Authority, tmp_path: Path) -> Merchant:
    """Return one with a merchant identity."""
    issued = authority.issue("merchant.example")
    (tmp_path / "identity.pem").write_bytes(issued.certificate + issued.key)
    return replace(MERCHANT, domain="shop.example", identity_file=tmp_path / "identity.pem")


class TestSession:
    """What the payment sheet needs."""

    pytestmark = pytest.mark.asyncio

    async def test_is_asked_for_with_the_certificate(
        self, local_apple: list[int], authority: Authority, merchant: Merchant, tmp_path: Path
    ) -> None:
        """Apple's answer is passed on as it is."""
        body = b'{"merchantSessionIdentifier": "1",  "nonce": "2"}'
        answer = web.Response(body=body, content_type="application/json")
        async with apple(authority, local_apple, tmp_path, answer) as received:
            assert await merchant.session(URL) == body

        asked = {"initiative": "web", "initiativeContext": "shop.example", "displayName": "Example shop"}
        assert received == [asked | {"merchantIdentifier": MERCHANT.identifier}]

    @pytest.mark.parametrize(
        ("answer", "sentence"),
        [
            (web.Response(status=302, headers={"Location": "https://evil.example/"}), "status 302"),
            (web.Response(status=400), "status 400"),
            (web.Response(text="<html>"), "not JSON"),
        ],
        ids=["redirect", "refusal", "page"],
    )
    async def test_is_none_without_apples_own_answer(
        self,
        local_apple: list[int],
        authority: Authority,
        merchant: Merchant,
        tmp_path: Path,
        answer: web.Response,
        sentence: str,
    ) -> None:
        """A redirect would leave Apple's list, so it is not followed."""
        async with apple(authority, local_apple, tmp_path, answer) as received:
            with pytest.raises(MerchantValidationError, match=sentence):
                await merchant.session(URL)

        assert len(received) == 1

    async def test_is_none_from_a_server_that_is_not_trusted(
        self, local_apple: list[int], merchant: Merchant, tmp_path: Path
    ) -> None:
        """Nothing was sent to it."""
        async with apple(Authority("another"), local_apple, tmp_path, web.Response()) as received:
            with pytest.raises(MerchantValidationError, match="ClientConnectorCertificateError"):
                await merchant.session(URL)

        assert received == []

    @pytest.mark.parametrize("content", [None, b"no certificate"])
    async def test_is_none_without_a_certificate(
        self, merchant: Merchant, tmp_path: Path, content: bytes | None
    ) -> None:
        """The sentence names the setting."""
        file = tmp_path / "identity"
        if content is not None:
            file.write_bytes(content)

        with pytest.raises(MerchantValidationError, match="APPLE_IDENTITY_FILE"):
            await replace(merchant, identity_file=file).session(URL)

    async def test_is_refused_to_the_page_with_a_sentence(self, payorch_service: FakePayorch, tmp_path: Path) -> None:
        """A shop without a merchant identity, and a page that names another host."""
        async with opened(payorch_service, tmp_path / "shop.sqlite") as page:
            texts = []
            for url in (URL, "https://169.254.169.254/"):
                async with page.client.post("/apple-pay/session", json={"validation_url": url}) as answer:
                    texts.append((answer.status, await answer.text()))

        assert texts[0][0] == texts[1][0] == 502
        assert "is not configured: set APPLE_DOMAIN, and APPLE_IDENTITY_FILE" in texts[0][1]
        assert texts[1][1] == "The validation URL is not one of Apple's."


class TestDomain:
    """Which Apple looks at before it lets a page show the sheet."""

    pytestmark = pytest.mark.asyncio

    @pytest.mark.parametrize(("name", "status"), [("association", 200), ("", 404)])
    async def test_has_the_association_file(
        self, payorch_service: FakePayorch, tmp_path: Path, name: str, status: int
    ) -> None:
        """Served as it was given, as plain text."""
        (tmp_path / "association").write_text("7B227073")
        merchant = replace(MERCHANT, association_file=tmp_path / name if name else None)
        async with (
            opened(payorch_service, tmp_path / "shop.sqlite", merchant=merchant) as page,
            page.client.get("/.well-known/apple-developer-merchantid-domain-association") as answer,
        ):
            assert answer.status == status
            assert not name or (answer.content_type, await answer.text()) == ("text/plain", "7B227073")
