"""What the emulated Zuora knows: clients, entities, accounts, invoices, gateways, and what calls made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from zuora_emulator.upc_records import UpcPayment, UpcRefund

Reference = Literal["either", "id", "number"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """An OAuth client; `multi_org` says whether its tenant has Multi-Org on."""

    name: str
    client_id: str
    client_secret: str = field(repr=False)
    tenant: str
    entities: tuple[str, ...]
    multi_org: bool
    orgs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A customer account of one entity."""

    id: str
    number: str
    tenant: str
    entity: str
    org: str | None
    name: str
    currency: str
    gateway_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """A posted invoice with what is still to be paid."""

    id: str
    number: str
    account_id: str
    currency: str
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A payment gateway instance: sessions name it by id, the decryption by its label name."""

    id: str
    name: str
    tenant: str
    entity: str
    stored_credentials: bool
    """Whether it knows stored credentials: a profile becomes Active there, and only Agreed elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCredential:
    """The profile that says under which consent a card may be used again."""

    status: Literal["Active", "Agreed"]
    type: str
    consent_source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethod:
    """A created payment method; of its secrets it holds the fields of a defined custom type only."""

    id: str
    tenant: str
    entity: str
    account_id: str | None
    type: str
    is_default: bool
    stored_credential: StoredCredential | None = None
    token_data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The fields of a defined custom type, as the hub gets them."""
    created_at: datetime | None = None
    last_digits: str = ""
    """Of its card's number; empty: it is no card, or not known."""
    shown: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What Quickstart answered when it was created; empty: it was created otherwise."""
    number_hash: str = field(default="", repr=False)
    """Hash of the numbers that a duplicate has as well; empty: the type has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A payment session, for the browser to redeem."""

    client: Client
    entity: str
    orgs: tuple[str, ...]
    account_id: str | None
    amount: Decimal
    currency: str
    processes: bool
    """Whether redeeming it pays."""
    stores: bool
    """Whether redeeming it leaves a payment method."""
    invoices: tuple[str, ...]
    """Ids of the invoices to be paid in full."""
    gateway_id: str
    """Empty: there is none."""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An access token's rights."""

    client: Client
    entities: tuple[str, ...]
    expires_at: datetime


@dataclass(slots=True)
class State:
    """All of it, in memory; operations look things up here and write here what they did."""

    clients: dict[str, Client] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    gateways: dict[str, Gateway] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict, repr=False)
    sessions: dict[str, Session] = field(default_factory=dict, repr=False)
    """By token."""
    redeemed_sessions: set[str] = field(default_factory=set, repr=False)
    """Tokens of the sessions that were used."""
    payment_methods: dict[str, PaymentMethod] = field(default_factory=dict)
    orphans: dict[str, datetime] = field(default_factory=dict)
    """When each payment method without an account was created, in that order."""
    apple_transactions: set[tuple[str, str]] = field(default_factory=set)
    """Tenant and transaction id of every Apple Pay token that was used up."""
    upc_payments: dict[str, UpcPayment] = field(default_factory=dict)
    upc_refunds: dict[str, UpcRefund] = field(default_factory=dict)

    def add(self, *things: Client | Account | Invoice | Gateway) -> None:
        """Put seed data or a test's own data in."""
        for thing in things:
            match thing:
                case Client():
                    self.clients[thing.client_id] = thing
                case Account():
                    self.accounts[thing.id] = thing
                case Invoice():
                    self.invoices[thing.id] = thing
                case Gateway():
                    self.gateways[thing.id] = thing

    def account(self, key: str, *, tenant: str, entity: str, by: Reference = "either") -> Account | None:
        """Find an account of that entity by id or number; another entity's account is not seen."""
        for account in self.accounts.values():
            if (account.tenant, account.entity) == (tenant, entity) and key in _keys(account, by):
                return account
        return None

    def invoice(self, key: str, *, account: Account, by: Reference = "either") -> Invoice | None:
        """Find an invoice of that account by id or number."""
        for invoice in self.invoices.values():
            if invoice.account_id == account.id and key in _keys(invoice, by):
                return invoice
        return None

    def gateway(
        self, key: str, *, tenant: str, entity: str, by: Literal["either", "id", "name"] = "id"
    ) -> Gateway | None:
        """Find a gateway instance of that entity by id or label name."""
        for gateway in self.gateways.values():
            keys = {"either": (gateway.id, gateway.name), "id": (gateway.id,), "name": (gateway.name,)}[by]
            if (gateway.tenant, gateway.entity) == (tenant, entity) and key in keys:
                return gateway
        return None

    def add_method(self, method: PaymentMethod) -> None:
        """Put a payment method in; one without an account is an orphan from now on."""
        self._put(method)
        if method.account_id is None and method.created_at is not None:
            self.orphans[method.id] = method.created_at

    def attach(self, method: PaymentMethod, account: Account) -> PaymentMethod:
        """Give an orphan an account, and return it as it now is."""
        attached = replace(method, account_id=account.id)
        self._put(attached)
        self.orphans.pop(method.id, None)
        return attached

    def _put(self, method: PaymentMethod) -> None:
        """Keep a method; the default method of its account until now is none any more if this is one."""
        before = self.default_method(method.account_id) if method.is_default and method.account_id else None
        if before is not None:
            self.payment_methods[before.id] = replace(before, is_default=False)
        self.payment_methods[method.id] = method

    def default_method(self, account_id: str) -> PaymentMethod | None:
        """Return the default payment method of an account, if it has one."""
        methods = self.payment_methods.values()
        return next((each for each in methods if each.is_default and each.account_id == account_id), None)

    def forget_orphans(self, now: datetime, *, days: int) -> None:
        """Delete the payment methods that have had no account for that many days."""
        while self.orphans:
            key, since = next(iter(self.orphans.items()))
            if now - since < timedelta(days=days):
                return
            del self.orphans[key]
            self.payment_methods.pop(key, None)

    def pay(self, invoice: Invoice, amount: Decimal) -> Invoice:
        """Lower the balance of an invoice and return it as it now is."""
        paid = replace(invoice, balance=invoice.balance - amount)
        self.invoices[invoice.id] = paid
        return paid


def _keys(thing: Account | Invoice, by: Reference) -> tuple[str, ...]:
    return {"either": (thing.id, thing.number), "id": (thing.id,), "number": (thing.number,)}[by]
