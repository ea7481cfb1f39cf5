"""Zuora's side of the Universal Payment Connector: it asks a payment hub, and concludes what became of the money.

    Processing ──Approved───────────────────────────► Processed  final
        │  ▲ └───Declined, System, Failed, 400, 401─► Error      final; Configurable Payment Retry, if on, makes a new
        └──┘     anything else, or no answer                     payment with another id
     sent again hourly for 48 hours, and when its page is opened

Sure, because documented: these conclusions, the time limits of 30 s and 60 s, that opening the page of a payment in
Processing asks again, that a retry is a new payment. Not sure: whether payments through a hub are sent again by the
clock, as those of listed integrations are; what an unknown validation does to the method. Both are switches.

Source: Zuora documentation, "Set up a payment hub", "Payment status values", "Update the status of payments stuck in
Processing" and "Configurable Payment Retry", read 2026-11.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from zuora_emulator.clock import Clock
from zuora_emulator.hub_sends import HubRequest, HubSends
from zuora_emulator.ids import Ids
from zuora_emulator.ledger import Caller, Ledger, LedgerEntry
from zuora_emulator.settings import Settings
from zuora_emulator.state import Account, PaymentMethod, State
from zuora_emulator.upc_answers import HubReply, decided
from zuora_emulator.upc_records import HubSend, Reason, Transaction, UpcPayment, UpcRefund
from zuora_emulator.upc_requests import HubRequests
from zuora_emulator.upc_types import CustomType, UpcConfiguration, UpcGateway

RESEND_EVERY = timedelta(hours=1)
RESEND_FOR = timedelta(hours=48)
RETRY_AFTER = timedelta(hours=24)
_ITSELF = Caller()


class Upc:
    """What Zuora does with custom payment methods.

    Args:
        configuration: Types and gateways of all tenants.
        settings: The switches.
        clock: For time limits, re-sends and retries.
        ids: For payments and refunds.
        ledger: Where every payment, refund and send is written.
        state: Accounts, methods, payments and refunds.
        sends: The way to the hubs.

    Raises:
        UpcConfigurationError: Zuora would not accept the configuration.
    """

    def __init__(
        self,
        configuration: UpcConfiguration,
        *,
        settings: Settings,
        clock: Clock,
        ids: Ids,
        ledger: Ledger,
        state: State,
        sends: HubSends,
    ) -> None:
        self.sends = sends
        self.state = state
        self._settings = settings
        self.configure(configuration)
        self._clock = clock
        self._ids = ids
        self._ledger = ledger
        self._requests = HubRequests(settings)
        self.changed = asyncio.Event()
        """Set when `next_due` may have changed."""

    def configure(self, configuration: UpcConfiguration) -> None:
        """Replace types and gateways, as an administrator does; what is sent from now on goes by them.

        Raises:
            UpcConfigurationError: Zuora would not accept it; nothing is changed.
        """
        configuration.check(allow_local=self._settings.upc_allow_local_endpoints)
        self.configuration = configuration
        self._gateways = {gateway.id: gateway for gateway in configuration.gateways}
        self._types = {custom.full_name.lower(): custom for custom in configuration.types}
        self.state.add(*(gateway.as_gateway() for gateway in configuration.gateways))

    def reset(self, state: State) -> None:
        """Begin again over a fresh state."""
        self.state = state
        self.sends.entries.clear()
        self.configure(self.configuration)

    # --- what is set up

    def type_of(self, name: str) -> CustomType | None:
        """Return the custom type of a full name; None if it is not defined here."""
        return self._types.get(name.lower())

    def gateway_for(self, key: str | None, *, account: Account | None, tenant: str, entity: str) -> UpcGateway | None:
        """Return the gateway with that id; without an id that of the account, or else the first of the entity.

        None: there is none, or the one that is named calls no hub.
        """
        own = [gateway for gateway in self._gateways.values() if (gateway.tenant, gateway.entity) == (tenant, entity)]
        if key is not None:
            return next((gateway for gateway in own if gateway.id == key), None)
        preferred = None if account is None else self._gateways.get(account.gateway_id)
        return preferred or next(iter(own), None)

    def tenant_id(self, tenant: str, entity: str) -> str:
        """Return the `tenantId` that a hub gets."""
        if self._settings.upc_tenant_id == "parent":
            return tenant
        return self.configuration.entity_tenants.get(entity, tenant)

    # --- validation

    async def validate(
        self,
        method: PaymentMethod,
        *,
        gateway: UpcGateway,
        account: Account | None,
        currency: str | None,
        gateway_options: Mapping[str, str],
    ) -> HubReply:
        """Ask the hub about a method that is being created."""
        body = self._requests.validation(
            tenant_id=self.tenant_id(method.tenant, method.entity),
            gateway_name=gateway.name,
            method=method,
            account=account,
            auth_amount=gateway.default_auth_amount,
            currency=currency,
            gateway_options=gateway_options,
        )
        request = HubRequest(operation="Validate", subject=None, gateway=gateway, body=body)
        sends, reply = await self.sends.send(request, "first")
        for send in sends:
            self._enter_send(request, send, method)
        return reply

    def with_changes(self, method: PaymentMethod, changes: Mapping[str, Any]) -> PaymentMethod:
        """Return a method with new values of its type's fields; others are not taken."""
        custom = self.type_of(method.type)
        known = {own.name for own in custom.fields} if custom else set()
        taken = {name: value for name, value in changes.items() if name in known}
        return replace(method, token_data=dict(method.token_data) | taken)

    # --- payments and refunds

    def calls_hub(self, transaction: Transaction) -> bool:
        """Whether its gateway asks a hub; any other decides at once, and none is asked about external ones."""
        return transaction.type == "Electronic" and transaction.gateway_id in self._gateways

    async def pay(self, payment: UpcPayment, *, by: Caller = _ITSELF, decline: str = "") -> None:
        """Make a payment: keep it, enter it in the ledger, and send it; `decline` is for a gateway without a hub."""
        self.state.upc_payments[payment.id] = payment
        effects = {"payment_id": payment.id, "number": payment.number}
        effects |= {"retry_of": payment.retry_of} if payment.retry_of else {}
        self._enter("create_payment", payment, effects, by)
        await self._first(payment, decline)

    async def refund(self, refund: UpcRefund, *, by: Caller = _ITSELF) -> None:
        """Make a refund, in the same way."""
        self.state.upc_refunds[refund.id] = refund
        effects = {"refund_id": refund.id, "number": refund.number, "payment_id": refund.payment_id}
        self._enter("refund_payment", refund, effects, by)
        await self._first(refund)

    async def open(self, transaction: Transaction) -> None:
        """Open the page of a payment or refund: in Processing, the hub is asked again."""
        if not transaction.is_final:
            await self.send(transaction, "opened")

    async def send(self, transaction: Transaction, reason: Reason) -> None:
        """Send a payment or refund, whatever its status; an answer after a final status changes nothing."""
        request = self._request(transaction)
        transaction.sends += 1
        sends, reply = await self.sends.send(request, reason)
        for send in sends:
            send.ignored = transaction.is_final
            self._enter_send(request, send, transaction)
        if not transaction.is_final:
            self._conclude(transaction, reply)

    async def send_at_once(self, transaction: Transaction, *, times: int) -> None:
        """Send a payment or refund several times at the same time."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(times):
                tasks.create_task(self.send(transaction, "asked for"))

    def paid_and_unrefunded(self, payment: UpcPayment) -> Decimal:
        """What of a payment may still be refunded: paid, not applied to invoices, not refunded nor being refunded."""
        if payment.status != "Processed":
            return Decimal(0)
        applied = sum((amount for _, amount in payment.invoices), Decimal(0))
        return payment.amount - applied - self.refunded(payment)

    def refunded(self, payment: UpcPayment) -> Decimal:
        """What of a payment is refunded, or being refunded."""
        refunds = self.state.upc_refunds.values()
        ours = (refund.amount for refund in refunds if refund.payment_id == payment.id and refund.status != "Error")
        return sum(ours, Decimal(0))

    # --- by the clock

    def next_due(self) -> datetime | None:
        """When the clock has something to do; None: never, as things are."""
        return min((due for _, due in self._dues()), default=None)

    async def run_due(self) -> int:
        """Send again what is due, and make the payments that retry those in Error; returns how many were due."""
        now, count = self._clock.now(), 0
        # Looked for each time: while one is sent, others may be, or be done by another caller of this.
        while (transaction := next((item for item, at in self._dues() if at <= now), None)) is not None:
            count += 1
            if isinstance(transaction, UpcPayment) and transaction.retry_at is not None:
                await self._retry(transaction)
            else:
                transaction.next_send_at = self._next_send(transaction, now)
                await self.send(transaction, "hourly")
        return count

    def _dues(self) -> list[tuple[Transaction, datetime]]:
        transactions: Iterable[Transaction] = (*self.state.upc_payments.values(), *self.state.upc_refunds.values())
        times = ((item, item.retry_at if isinstance(item, UpcPayment) else None) for item in transactions)
        return [(item, at) for item, retry_at in times if (at := retry_at or item.next_send_at) is not None]

    def _next_send(self, transaction: Transaction, now: datetime) -> datetime | None:
        following = now + RESEND_EVERY
        is_over = following > transaction.created_at + RESEND_FOR
        return None if is_over or self._settings.upc_resends == "never" else following

    async def _retry(self, failed: UpcPayment) -> None:
        failed.retry_at = None
        if any(self.state.invoices[invoice_id].balance < amount for invoice_id, amount in failed.invoices):
            return
        payment = replace(
            failed,
            **self.new_names("P"),
            status="Processing",
            sends=0,
            attempt=failed.attempt + 1,
            retry_of=failed.id,
            code=None,
            message=None,
            reference_id=None,
            second_reference_id=None,
            dated=None,
            concluded_at=None,
        )
        await self.pay(payment)

    def new_names(self, prefix: str) -> dict[str, Any]:
        """Return id, number and creation time of a new payment (`P`) or refund (`R`)."""
        known = self.state.upc_payments if prefix == "P" else self.state.upc_refunds
        number = f"{prefix}-{len(known) + 1:08}"
        return {"id": self._ids.object_id(), "number": number, "created_at": self._clock.now()}

    async def _first(self, transaction: Transaction, decline: str = "") -> None:
        if not self.calls_hub(transaction):
            self._conclude(transaction, decided(decline))
            return
        transaction.next_send_at = self._next_send(transaction, transaction.created_at)
        self.changed.set()
        await self.send(transaction, "first")

    def _request(self, transaction: Transaction) -> HubRequest:
        gateway = self._gateways[transaction.gateway_id]
        common: dict[str, Any] = {
            "tenant_id": self.tenant_id(transaction.tenant, transaction.entity),
            "gateway_name": gateway.name,
            "method": self.state.payment_methods[transaction.method_id],
            "account": self.state.accounts[transaction.account_id],
        }
        if isinstance(transaction, UpcRefund):
            reference_id = self.state.upc_payments[transaction.payment_id].reference_id or ""
            body = self._requests.refund(transaction, reference_id=reference_id, **common)
            return HubRequest(operation="Refund", subject=transaction.id, gateway=gateway, body=body)
        assert isinstance(transaction, UpcPayment)
        body = self._requests.payment(transaction, **common)
        return HubRequest(operation="Payment", subject=transaction.id, gateway=gateway, body=body)

    def _conclude(self, transaction: Transaction, reply: HubReply) -> None:
        if reply.conclusion == "Processing":
            return
        transaction.conclude(reply, self._clock.now())
        if isinstance(transaction, UpcPayment):
            self._settle(transaction, reply)
        self.changed.set()

    def _settle(self, payment: UpcPayment, reply: HubReply) -> None:
        if payment.status == "Error":
            is_retried = payment.attempt <= self._settings.upc_payment_retries
            payment.retry_at = self._clock.now() + RETRY_AFTER if is_retried else None
            return
        if self.state.upc_payments.get(payment.id) is not payment:
            return  # a reset or an older snapshot came while the hub worked on it
        method = self.state.payment_methods[payment.method_id]
        self.state.payment_methods[method.id] = self.with_changes(method, reply.token_data)
        # Another payment may have paid an invoice meanwhile; what is too much stays unapplied.
        invoices = self.state.invoices
        owed = ((key, min(amount, invoices[key].balance)) for key, amount in payment.invoices)
        payment.invoices = tuple((key, amount) for key, amount in owed if amount > 0)
        for invoice_id, amount in payment.invoices:
            self.state.pay(invoices[invoice_id], amount)

    def _enter_send(self, request: HubRequest, send: HubSend, of: PaymentMethod | Transaction) -> None:
        effects = {
            "subject": request.subject or "none",
            "send": str(send.number),
            "reason": send.reason,
            "conclusion": f"{send.conclusion}, ignored" if send.ignored else str(send.conclusion),
        }
        self._ledger.record(
            LedgerEntry(
                operation=request.fault_name,
                time=send.time,
                tenant=of.tenant,
                entity=of.entity,
                account=of.account_id,
                request_id="",
                effects=effects,
            )
        )

    def _enter(self, operation: str, transaction: Transaction, effects: dict[str, str], by: Caller) -> None:
        self._ledger.record(
            LedgerEntry(
                operation=operation,
                time=transaction.created_at,
                tenant=transaction.tenant,
                entity=transaction.entity,
                orgs=by.orgs,
                account=transaction.account_id,
                track_id=by.track_id,
                idempotency_key=by.idempotency_key,
                request_id=by.request_id,
                amount=transaction.amount,
                currency=transaction.currency,
                effects=effects,
            )
        )
