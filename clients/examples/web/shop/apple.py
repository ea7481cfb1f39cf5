"""Merchant validation: asks Apple for the session without which Safari shows no payment sheet."""

import contextlib
import json
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

_PODS: Final = [f"{region}-pod{number}" for region in ("nc", "pr") for number in range(1, 6)]
_PODS_CHINA: Final = [f"{region}-pod{number}" for region in ("sh", "tj") for number in range(1, 4)]
HOSTS: Final = frozenset(
    {
        "apple-pay-gateway.apple.com",
        "apple-pay-gateway-cert.apple.com",
        "cn-apple-pay-gateway.apple.com",
        "cn-apple-pay-gateway-cert.apple.com",
        *(f"apple-pay-gateway-{pod}{spare}.apple.com" for pod in _PODS for spare in ("", "-dr")),
        *(f"cn-apple-pay-gateway-{pod}{spare}.apple.com" for pod in _PODS_CHINA for spare in ("", "-dr")),
    }
)
"""Apple's list, from "Setting Up Your Server" of Apple Pay on the Web."""
_ADDRESSES: Final = frozenset(
    f"https://{host}/paymentservices/{name}" for host in HOSTS for name in ("startSession", "paymentSession")
)
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


class MerchantValidationError(Exception):
    """There is no session; the text says why and is for developers."""


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who asks for the money, as Apple knows it."""

    identifier: str
    """Such as `merchant.com.example.shop`."""
    name: str
    """What the payment sheet shows; at most 64 characters."""
    domain: str = ""
    """Of the page, as registered with Apple."""
    identity_file: Path | None = None
    """PEM of the merchant identity certificate and its key; None: not configured."""
    association_file: Path | None = None
    """What Apple fetches from the domain before it believes that it is ours; None: not served."""

    async def session(self, url: str) -> bytes:
        """Return Apple's answer for `completeMerchantValidation`, unread: it is opaque.

        Args:
            url: What the browser's `onvalidatemerchant` gave. It comes from the page, so it may be anything.

        Raises:
            MerchantValidationError: The URL is not Apple's, nothing is configured, or Apple refuses.
        """
        address = apple_address(url)
        if self.identity_file is None or not self.domain:
            raise MerchantValidationError(
                "Merchant validation is not configured: set APPLE_DOMAIN, and APPLE_IDENTITY_FILE"
                " to the merchant identity certificate with its key."
            )
        context = ssl.create_default_context()
        try:
            context.load_cert_chain(self.identity_file)
        except (OSError, ssl.SSLError) as error:
            raise MerchantValidationError("APPLE_IDENTITY_FILE has no certificate with its key.") from error
        asked = {
            "merchantIdentifier": self.identifier,
            "displayName": self.name,
            "initiative": "web",
            "initiativeContext": self.domain,
        }
        try:
            return await _answer(address, asked, context)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise MerchantValidationError(f"Apple gave no session: {type(error).__name__}.") from error


def apple_address(url: str) -> str:
    """Return the URL, made again of its parts, if it is one of Apple's.

    Without this check a page could make the back end call any other host.

    Raises:
        MerchantValidationError: It is another address.
    """
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        address = f"https://{parts.netloc.removesuffix(':443')}{parts.path}"
        if url.startswith("https://") and address in _ADDRESSES and not parts.query and not parts.fragment:
            return address
    raise MerchantValidationError("The validation URL is not one of Apple's.")


async def _answer(url: str, asked: dict[str, str], context: ssl.SSLContext) -> bytes:
    async with (
        aiohttp.ClientSession(timeout=_TIMEOUT) as client,
        # A redirect would leave Apple's list.
        client.post(url, json=asked, ssl=context, allow_redirects=False) as answer,
    ):
        body = await answer.read()
        if answer.status != HTTPStatus.OK:
            raise MerchantValidationError(f"Apple refused with status {answer.status}.")
    try:
        json.loads(body)
    except ValueError as error:
        raise MerchantValidationError("Apple's answer is not JSON.") from error
    return body
