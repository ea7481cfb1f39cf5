"""Who is asked, and what is at hand there: the emulator, or a tenant that environment variables describe."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from payorch_server.zuora.settings import PRODUCTION_HOSTS, SANDBOX_HOSTS
from zuora_emulator import seed
from zuora_emulator.apple_tokens import PUBLISHED_MERCHANT

REQUIRED = ("PARITY_BASE_URL", "PARITY_CLIENT_ID", "PARITY_CLIENT_SECRET")
ALLOWANCES = ("create", "money")


class SetUpError(Exception):
    """The environment describes no tenant that may be asked; the message is a sentence without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What requests are made of; an empty text stands for what is not at hand.

    Attributes:
        base_url: Scheme and host.
        allowed: Of `create` (payment methods may be created) and `money` (an invoice may be paid).
        apple_token: The level-3 object of a token that this subject can open.
    """

    base_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    entity: str = ""
    org: str = ""
    account_id: str = ""
    account_number: str = ""
    currency: str = "USD"
    gateway_id: str = ""
    gateway_name: str = ""
    invoice_number: str = ""
    invoice_balance: str = ""
    merchant_id: str = PUBLISHED_MERCHANT
    apple_token: Mapping[str, Any] = field(default_factory=dict, repr=False)
    allowed: frozenset[str] = frozenset()

    def lacks(self, needs: Collection[str]) -> tuple[str, ...]:
        """Return which of the needs (fields and allowances) are not at hand."""
        given = {each.name for each in fields(self) if getattr(self, each.name)} | self.allowed
        return tuple(need for need in needs if need not in given)

    def secrets(self) -> frozenset[str]:
        """Return the texts that may stand in no report: credentials, ids and the parts of a token."""
        texts = [
            self.client_id,
            self.client_secret,
            self.entity,
            self.org,
            self.account_id,
            self.account_number,
            self.gateway_id,
            self.gateway_name,
            self.invoice_number,
            *_texts(self.apple_token),
        ]
        return frozenset(text for text in texts if text)


PLACEHOLDERS = Subject(
    base_url="https://<host>",
    client_id="<client id>",
    client_secret="<client secret>",
    entity="<entity id>",
    org="<org id>",
    account_id="<account id>",
    account_number="<account number>",
    currency="<currency>",
    gateway_id="<gateway id>",
    gateway_name="<gateway name>",
    invoice_number="<invoice number>",
    invoice_balance="1.00",
    merchant_id="<merchant id>",
    apple_token={"...": "<apple pay token>"},
)
"""Requests are reported as they would be made of these, so that no value of a tenant is in them to begin with."""


def emulated(base_url: str, *, apple_token: Mapping[str, Any], like: Subject | None = None) -> Subject:
    """Return an emulator with its built-in world; `like` says which of entity and org the other side uses."""
    with_entity = like is None or bool(like.entity)
    client = seed.CLIENT_A if with_entity else seed.CLIENT_B
    account, gateway, invoice = (
        (seed.ACCOUNT_US, seed.GATEWAY_US, seed.INVOICE_US_SECOND)
        if with_entity
        else (seed.ACCOUNT_SINGLE, seed.GATEWAY_SINGLE, seed.INVOICE_SINGLE)
    )
    return Subject(
        base_url=base_url,
        client_id=client.client_id,
        client_secret=client.client_secret,
        entity=seed.ENTITY_US if with_entity else "",
        org=seed.ORG_NORTH if with_entity and like is not None and like.org else "",
        account_id=account.id,
        account_number=account.number,
        currency=account.currency,
        gateway_id=gateway.id,
        gateway_name=gateway.name,
        invoice_number=invoice.number,
        invoice_balance=str(invoice.balance),
        apple_token=apple_token,
        allowed=frozenset(ALLOWANCES),
    )


def tenant(environ: Mapping[str, str], *, test_hosts: Collection[str] = ()) -> Subject | None:
    """Return the tenant that the variables `PARITY_...` describe, or None without credentials.

    Args:
        environ: The environment.
        test_hosts: Hosts that may be asked beside Zuora's sandboxes; only tests of this program give any.

    Raises:
        SetUpError: Variables are missing or wrong, or the host is none of Zuora's sandboxes.
    """
    given = {name: value for name, value in environ.items() if name.startswith("PARITY_") and value}
    if not given:
        return None
    missing = [name for name in REQUIRED if name not in given]
    if missing:
        raise SetUpError(f"Also needed: {', '.join(missing)}.")
    names = {f"PARITY_{each.name.upper()}": each.name for each in fields(Subject)} | _NAMES
    unknown = sorted(given.keys() - names.keys())
    if unknown:
        raise SetUpError(f"Unknown: {', '.join(unknown)}; there are {', '.join(sorted(names))}.")
    read: dict[str, Any] = {names[name]: value for name, value in given.items()}
    read["base_url"] = _checked_url(read["base_url"], test_hosts)
    read["allowed"] = _allowed(read.get("allowed", ""))
    read["apple_token"] = _token(read.get("apple_token", ""))
    return Subject(**read)


_NAMES = {"PARITY_ALLOW": "allowed", "PARITY_APPLE_TOKEN_FILE": "apple_token"}


def _checked_url(text: str, test_hosts: Collection[str]) -> str:
    url = text.rstrip("/")
    parts = urlsplit(url)
    host = parts.netloc
    if host in PRODUCTION_HOSTS:
        raise SetUpError(f"{host} is production; only sandboxes are asked.")
    if parts.hostname in test_hosts and url == f"http://{host}":
        return url
    if host not in SANDBOX_HOSTS or url != f"https://{host}":
        raise SetUpError(
            f"PARITY_BASE_URL must be one of: {', '.join(f'https://{name}' for name in sorted(SANDBOX_HOSTS))}."
        )
    return url


def _allowed(text: str) -> frozenset[str]:
    words = frozenset(word for word in re.split(r"[,\s]+", text) if word)
    if words - set(ALLOWANCES):
        raise SetUpError("PARITY_ALLOW holds create, or create,money.")
    return words


def _token(path: str) -> Mapping[str, Any]:
    if not path:
        return {}
    try:
        token = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        token = None
    inner = token.get("paymentData", token) if isinstance(token, dict) else None
    if not isinstance(inner, dict):
        raise SetUpError("PARITY_APPLE_TOKEN_FILE must be a file with a token as JSON.")
    return inner


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for below in value.values() for text in _texts(below)]
    return [value] if isinstance(value, str) and value not in ("EC_v1", "RSA_v1") else []
