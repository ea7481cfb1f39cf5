"""What is true of every payment, in whatever order answers, openings, duplicates and hours come."""

import asyncio
import json
import random
from collections.abc import Mapping
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from zuora_emulator import Emulator, ManualClock, Settings, UpcPayment, seed
from zuora_emulator.state import PaymentMethod
from zuora_emulator.upc import RETRY_AFTER

ANSWERS = {
    "approved": (200, b'{"responseCode":"Approved"}'),
    "declined": (200, b'{"responseCode":"Declined"}'),
    "refused": (400, b"{}"),
    "unknown": (503, b"{}"),
    "unreadable": (200, b"{"),
}
FINAL = {"approved": "Processed", "declined": "Error", "refused": "Error"}
answers = st.sampled_from([*ANSWERS, "none"])
faults = st.sampled_from(["refused", "lost", "duplicated"])


class PaymentLives(RuleBasedStateMachine):
    """Pays, sends and waits; the hub answers with what a rule drew."""

    @initialize(retries=st.integers(0, 2), resends=st.sampled_from(["hourly", "never"]))
    def start(self, retries: int, resends: str) -> None:
        """Make an emulator with a method."""
        self.answer = "unknown"
        self.asked: list[str] = []
        self.paid = 0
        self.finals: dict[str, str] = {}
        self.retries = retries
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock()
        self.emulator = Emulator(
            clock=self.clock,
            rng=random.Random(3),  # noqa: S311 - a test
            settings=Settings(upc_allow_local_endpoints=True, upc_payment_retries=retries, upc_resends=resends),
            upc=seed.upc_with("http://hub.test/"),
            hub_caller=self,
        )
        method = PaymentMethod(
            id="m",
            tenant=seed.TENANT,
            entity=seed.ENTITY_US,
            account_id=seed.ACCOUNT_US.id,
            type=seed.AMAZON_PAY.full_name,
            is_default=True,
        )
        self.emulator.state.payment_methods["m"] = method

    async def post(
        self, _url: str, _headers: Mapping[str, str], body: bytes, *, connect_timeout_s: float, answer_timeout_s: float
    ) -> tuple[int, bytes]:
        """Answer as the hub."""
        assert (connect_timeout_s, answer_timeout_s) == (30, 60)
        self.asked.append(json.loads(body)["payment"]["id"])
        await asyncio.sleep(0)
        if self.answer == "none":
            raise ConnectionError
        return ANSWERS[self.answer]

    def payments(self) -> list[UpcPayment]:
        """All payments, in order."""
        return list(self.emulator.state.upc_payments.values())

    @rule(answer=answers)
    def pay(self, answer: str) -> None:
        """Make a payment."""
        self.answer = answer
        upc = self.emulator.upc
        payment = UpcPayment(
            **upc.new_names("P"),
            tenant=seed.TENANT,
            entity=seed.ENTITY_US,
            account_id=seed.ACCOUNT_US.id,
            method_id="m",
            gateway_id=seed.UPC_GATEWAY_ID,
            amount=seed.INVOICE_US.balance,
            currency="USD",
        )
        self.loop.run_until_complete(upc.pay(payment))
        self.paid += 1
        assert payment.status == FINAL.get(answer, "Processing")

    @precondition(lambda self: self.paid)
    @rule(answer=answers, choice=st.randoms(use_true_random=False), times=st.integers(1, 3))
    def send_again(self, answer: str, choice: random.Random, times: int) -> None:
        """Send one again, several times at once."""
        self.answer = answer
        payment = choice.choice(self.payments())
        self.loop.run_until_complete(self.emulator.upc.send_at_once(payment, times=times))

    @precondition(lambda self: self.paid)
    @rule(answer=answers, choice=st.randoms(use_true_random=False), fault=faults)
    def open_with_a_fault(self, answer: str, choice: random.Random, fault: str) -> None:
        """Open one's page while the way to the hub fails."""
        self.answer = answer
        payment = choice.choice(self.payments())
        before = payment.status
        self.emulator.faults.add(f"hub_payment:{fault}")
        self.loop.run_until_complete(self.emulator.upc.open(payment))
        self.emulator.faults.clear()
        if fault != "duplicated":
            assert payment.status == before

    @rule(answer=answers, hours=st.sampled_from([0.5, 1, 3, 24, 60]))
    def wait(self, answer: str, hours: float) -> None:
        """Let time pass."""
        self.answer = answer
        self.loop.run_until_complete(self.emulator.advance(timedelta(hours=hours)))

    @invariant()
    def processed_and_error_are_final(self) -> None:
        """Whatever came later."""
        now = {payment.id: payment.status for payment in self.payments()}
        assert {key: now[key] for key in self.finals} == self.finals
        self.finals = {key: status for key, status in now.items() if status != "Processing"}

    @invariant()
    def only_an_error_is_retried_and_only_if_that_is_on(self) -> None:
        """A payment that was not asked for collects again what is in Error, once each, a day later."""
        known = self.emulator.state.upc_payments
        made = [payment for payment in self.payments() if payment.retry_of is not None]
        assert len(known) == self.paid + len(made)
        assert len({payment.retry_of for payment in made}) == len(made)
        for payment in made:
            failed = known[payment.retry_of or ""]
            assert (failed.status, payment.attempt, failed.amount) == ("Error", failed.attempt + 1, payment.amount)
            assert payment.attempt <= 1 + self.retries
            assert payment.created_at >= failed.created_at + RETRY_AFTER

    @invariant()
    def every_request_is_of_a_payment_and_in_the_books(self) -> None:
        """No request without its send, and none without its entry in the ledger."""
        sends = self.emulator.upc.sends.entries
        unsent = [send for send in sends if send.fault == "hub_payment:refused"]
        assert len(self.asked) + len(unsent) == len(sends) == self.emulator.ledger.count("hub_payment")
        assert set(self.asked) <= set(self.emulator.state.upc_payments)
        assert self.emulator.ledger.count("create_payment") == len(self.payments())

    @invariant()
    def only_processing_waits_for_the_clock(self) -> None:
        """Nothing final is sent again by it, and nothing that is due was left."""
        for payment in self.payments():
            assert payment.status == "Processing" or payment.next_send_at is None
            assert payment.status == "Error" or payment.retry_at is None
        due = self.emulator.upc.next_due()
        assert due is None or due > self.clock.now()

    def teardown(self) -> None:
        """Close the loop."""
        if hasattr(self, "loop"):
            self.loop.close()


TestPaymentLives = PaymentLives.TestCase
TestPaymentLives.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
