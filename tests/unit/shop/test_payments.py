"""The example's shop takes a payment once, and shows the payer no more than it knows."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from harness.shop import ORDER, OTHER_TOKEN, TOKEN, Page, opened
from payorch.testing import FakePayorch
from payorch.testing.catalogue import Failure, catalogue
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as pb
from shop.orders import Intent, Orders, Stage
from shop.payer import DEBIT, PAYMENT, shown

pytest_plugins = ["payorch.testing.pytest_plugin"]
IBAN = "DE89370400440532013000"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the orders are."""
    return tmp_path / "shop.sqlite"


@pytest_asyncio.fixture
async def page(payorch_service: FakePayorch, file: Path) -> AsyncIterator[Page]:
    """Return the page of a fresh shop."""
    async with opened(payorch_service, file) as started:
        yield started


def ids(fake: FakePayorch) -> list[str]:
    """Return the request ids of all calls that may pay."""
    return [call.request_id for call in fake.calls if call.rpc == "DecryptApplePay"]


class ChangedAmount(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # grpc.aio has no types for it
    """Answers as Zuora would if the token held another amount than the order's."""

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """Change an answer that has an amount."""
        call = await continuation(details, request)
        answer = await call
        if isinstance(answer, pb.DecryptApplePayResponse):
            answer.amount_check = pb.AMOUNT_CHECK_DIFFERENT
        return answer


class StageAtTheSend(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # grpc.aio has no types for it
    """Reads what is recorded at the moment of each send."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.stages: list[str] = []

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """Look into the file as another process would."""
        with closing(sqlite3.connect(self._file)) as database:
            self.stages += [row[0] for row in database.execute("SELECT stage FROM intents")]
        return await continuation(details, request)


class TestPayment:
    """Of an order, through the page's only way to ask for it."""

    pytestmark = pytest.mark.asyncio

    async def test_is_made_once(self, page: Page, payorch_service: FakePayorch) -> None:
        """A second click brings another token, after a reload even another page."""
        first, second = await page.pay({"token": TOKEN}), await page.pay({"token": OTHER_TOKEN})

        assert [first["stage"], second["stage"]] == ["done", "done"]
        assert len(payorch_service.executed) == 1

    async def test_is_made_once_by_clicks_at_the_same_time(self, page: Page, payorch_service: FakePayorch) -> None:
        """The second waits for the first."""
        states = await asyncio.gather(*(page.pay({"token": token}) for token in (TOKEN, OTHER_TOKEN, TOKEN)))

        assert {state["stage"] for state in states} == {"done"}
        assert len(payorch_service.executed) == 1

    async def test_is_made_once_by_two_back_ends(self, payorch_service: FakePayorch, file: Path) -> None:
        """They share the request id, so the service refuses the second token."""
        async with opened(payorch_service, file) as one, opened(payorch_service, file) as other:
            payorch_service.fail_with("UPSTREAM_NO_ANSWER", executed=True)
            await one.pay({"token": TOKEN})
            await other.pay({"token": OTHER_TOKEN})

        assert len(payorch_service.executed) == 1
        assert len(set(ids(payorch_service))) == 1

    async def test_is_recorded_as_in_doubt_before_it_is_sent(self, payorch_service: FakePayorch, file: Path) -> None:
        """A process that dies in between must not leave an order that looks unpaid."""
        recorded = StageAtTheSend(file)
        async with opened(payorch_service, file, interceptors=[recorded]) as page:
            await page.pay({"token": TOKEN})

        assert set(recorded.stages) == {"in_doubt"}

    async def test_is_sent_by_one_call_at_a_time(self, page: Page, payorch_service: FakePayorch) -> None:
        """The second call knows what the first has left open, so that it was not sent proves nothing."""
        payorch_service.fail_with("UPSTREAM_NO_ANSWER", executed=True)
        payorch_service.fail_with("UPSTREAM_UNREACHABLE")

        states = await asyncio.gather(*(page.pay({"token": token}) for token in (TOKEN, OTHER_TOKEN)))

        assert [state["stage"] for state in states] == ["in_doubt", "in_doubt"]

    async def test_of_another_back_end_is_looked_up(self, page: Page, payorch_service: FakePayorch) -> None:
        """That the service knows another request under the id means that something was sent."""
        payorch_service.fail_with("INTENT_MISMATCH")

        states = [await page.pay({"token": TOKEN}), await page.pay()]

        assert [state["stage"] for state in states] == ["in_doubt", "in_doubt"]
        assert [call.rpc for call in payorch_service.calls] == ["DecryptApplePay", "GetIntent"]

    async def test_is_of_the_order_whatever_the_page_says(self, page: Page, payorch_service: FakePayorch) -> None:
        """Amount, account and invoice of the browser's are not read."""
        await page.pay(
            {"token": TOKEN, "amount": "0.01", "account_id": "another", "invoice": "INV2", "request_id": "x"}
        )

        request = payorch_service.executed[0].request
        assert (request.account_id, request.pay_invoice.invoice) == (ORDER.account_id, ORDER.invoice)
        assert (request.expected_amount.units, request.expected_amount.nanos) == (42, 500_000_000)

    async def test_of_another_amount_is_looked_at(self, payorch_service: FakePayorch, file: Path) -> None:
        """The page asked Apple for the amount, so only Zuora's answer shows what was paid."""
        async with opened(payorch_service, file, interceptors=[ChangedAmount()]) as page:
            state = await page.pay({"token": TOKEN})
            again = await page.pay({"token": OTHER_TOKEN})

        assert [state["stage"], again["stage"]] == ["review", "review"]
        assert len(payorch_service.executed) == 1

    async def test_that_was_declined_has_a_new_id_next_time(self, page: Page, payorch_service: FakePayorch) -> None:
        """Otherwise the service would repeat the refusal."""
        payorch_service.fail_with("PAYMENT_DECLINED")

        states = [await page.pay({"token": token}) for token in (TOKEN, OTHER_TOKEN)]

        assert [(state["stage"], state["action"]) for state in states] == [("declined", "start"), ("done", "none")]
        assert len(set(ids(payorch_service))) == 2

    async def test_that_was_not_sent_is_sent_again_under_its_id(self, page: Page, payorch_service: FakePayorch) -> None:
        """With the same bytes, without asking the payer for another token."""
        payorch_service.fail_with("UPSTREAM_UNREACHABLE")

        states = [await page.pay({"token": TOKEN}), await page.pay()]

        assert [(state["stage"], state["action"]) for state in states] == [("not_sent", "retry"), ("done", "none")]
        assert len(set(ids(payorch_service))) == 1
        assert len({call.request.SerializeToString() for call in payorch_service.calls}) == 1

    async def test_in_doubt_is_found_out(self, page: Page, payorch_service: FakePayorch) -> None:
        """The payer waits; the back end sends the same request again, which the service answers from its record."""
        payorch_service.fail_with("UPSTREAM_NO_ANSWER", executed=True)

        states = [await page.pay({"token": TOKEN}), await page.pay()]

        assert [(state["stage"], state["action"]) for state in states] == [("in_doubt", "wait"), ("done", "none")]
        assert len(payorch_service.executed) == 1

    async def test_stays_in_doubt_when_a_check_is_not_sent(self, page: Page, payorch_service: FakePayorch) -> None:
        """What is known of the check says nothing of the first send."""
        payorch_service.fail_with("UPSTREAM_NO_ANSWER", executed=True)
        payorch_service.fail_with("UPSTREAM_UNREACHABLE")
        payorch_service.fail_with("CALLER_NOT_PERMITTED")

        states = [await page.pay({"token": TOKEN}), await page.pay(), await page.pay()]

        assert {state["stage"] for state in states} == {"in_doubt"}

    async def test_in_doubt_takes_no_other_token(self, page: Page, payorch_service: FakePayorch) -> None:
        """A payer who does not listen pays once all the same."""
        payorch_service.fail_with("UPSTREAM_NO_ANSWER", executed=True)

        states = [await page.pay({"token": TOKEN}), await page.pay({"token": OTHER_TOKEN})]

        assert [state["stage"] for state in states] == ["in_doubt", "done"]
        assert len(payorch_service.executed) == 1

    async def test_in_doubt_is_looked_up_after_a_restart(self, payorch_service: FakePayorch, file: Path) -> None:
        """The token is gone, and with it the request that could be sent again; so is the answer with the amount."""
        payorch_service.fail_with("UPSTREAM_NO_ANSWER", executed=True)
        async with opened(payorch_service, file) as page:
            await page.pay({"token": TOKEN})
        async with opened(payorch_service, file) as page:
            state = await page.pay({"token": OTHER_TOKEN})

        assert state["stage"] == "review"
        assert [call.rpc for call in payorch_service.calls] == ["DecryptApplePay", "GetIntent"]

    async def test_without_a_record_stays_in_doubt(self, payorch_service: FakePayorch, file: Path) -> None:
        """That the service holds no record proves nothing."""
        payorch_service.fail_without_details(grpc.StatusCode.UNAVAILABLE)
        async with opened(payorch_service, file) as page:
            await page.pay({"token": TOKEN})
        async with opened(payorch_service, file) as page:
            state = await page.pay({"token": OTHER_TOKEN})

        assert (state["stage"], state["action"]) == ("in_doubt", "wait")

    async def test_that_a_restart_found_refused_may_be_tried_again(
        self, payorch_service: FakePayorch, file: Path
    ) -> None:
        """Under a new id."""
        payorch_service.fail_without_details(grpc.StatusCode.UNAVAILABLE)
        async with opened(payorch_service, file) as page:
            await page.pay({"token": TOKEN})
        payorch_service.fail_with("PAYMENT_DECLINED")
        with payorch_service.connect() as client, pytest.raises(Exception, match="PAYMENT_DECLINED"):
            client.decrypt_apple_pay(payorch_service.calls[0].request)
        async with opened(payorch_service, file) as page:
            states = [await page.pay(), await page.pay({"token": OTHER_TOKEN})]

        assert [state["stage"] for state in states] == ["failed", "done"]
        assert len(payorch_service.executed) == 1

    async def test_in_part_is_not_tried_again(self, page: Page, payorch_service: FakePayorch) -> None:
        """A second attempt would create a second method."""
        payorch_service.fail_with("PAYMENT_REFUSED_METHOD_CREATED")

        states = [await page.pay({"token": TOKEN}), await page.pay({"token": OTHER_TOKEN})]

        assert [state["stage"] for state in states] == ["review", "review"]
        assert len(ids(payorch_service)) == 1

    async def test_that_nothing_was_sent_for_is_only_asked_about(
        self, page: Page, payorch_service: FakePayorch
    ) -> None:
        """A check without a token never pays."""
        assert (await page.pay())["stage"] == "new"
        assert payorch_service.calls == []

    async def test_has_a_reference_for_the_support(self, page: Page, payorch_service: FakePayorch) -> None:
        """The Track-Id of the call that failed."""
        payorch_service.fail_with("UPSTREAM_INTERNAL")

        state = await page.pay({"token": TOKEN})

        assert state["track_id"] == payorch_service.calls[0].track_id

    @pytest.mark.parametrize("reason", sorted(catalogue()))
    async def test_is_called_undone_only_where_the_service_says_so(
        self, page: Page, payorch_service: FakePayorch, reason: str
    ) -> None:
        """No other reason lets the payer pay again, or says that nothing was charged."""
        failure = Failure(reason=reason)
        payorch_service.fail_with(reason)

        state = await page.pay({"token": TOKEN})

        is_undone = failure.outcome in {call_pb2.OUTCOME_NOT_SENT, call_pb2.OUTCOME_REFUSED}
        is_called_undone = state["action"] in {"start", "retry"} or "not charged" in state["text"]
        assert is_called_undone <= is_undone
        assert not is_called_undone or reason != "INTENT_MISMATCH"
        assert reason not in str(state)


class TestRecord:
    """What several back ends write into one file."""

    @pytest.fixture
    def orders(self, file: Path) -> Iterator[Orders]:
        """Return the file with an order."""
        made = Orders(file)
        made.add(ORDER)
        yield made
        made.close()

    @pytest.mark.parametrize(
        ("recorded", "ended", "left"),
        [
            (Stage.IN_DOUBT, Stage.NOT_SENT, Stage.NOT_SENT),
            (Stage.IN_DOUBT, Stage.DECLINED, Stage.DECLINED),
            (Stage.IN_DOUBT, Stage.DONE, Stage.DONE),
            (Stage.NOT_SENT, Stage.DONE, Stage.DONE),
            (Stage.NOT_SENT, Stage.IN_DOUBT, Stage.IN_DOUBT),
            (Stage.NOT_SENT, Stage.REFUSED, Stage.NOT_SENT),
            (Stage.DONE, Stage.NOT_SENT, Stage.DONE),
            (Stage.DONE, Stage.IN_DOUBT, Stage.DONE),
            (Stage.REVIEW, Stage.DONE, Stage.REVIEW),
        ],
    )
    def test_keeps_what_is_known_to_be_done(self, orders: Orders, recorded: Stage, ended: Stage, left: Stage) -> None:
        """Whichever of two processes writes last."""
        intent = orders.intent(ORDER.id, PAYMENT)
        assert orders.begin(intent)
        orders.end(intent, replace(intent, stage=recorded))

        orders.end(intent, replace(intent, stage=ended))

        assert orders.intent(ORDER.id, PAYMENT).stage is left

    def test_lets_one_process_begin(self, orders: Orders) -> None:
        """The other one has read what is no longer so."""
        intent = orders.intent(ORDER.id, PAYMENT)

        assert [orders.begin(intent), orders.begin(intent)] == [True, False]

    def test_of_an_old_request_id_changes_nothing(self, orders: Orders) -> None:
        """Its attempt is over."""
        intent = orders.intent(ORDER.id, PAYMENT)
        orders.begin(intent)
        orders.end(intent, replace(intent, stage=Stage.DECLINED, request_id="another"))

        orders.end(intent, replace(intent, stage=Stage.DONE))

        assert orders.intent(ORDER.id, PAYMENT) == replace(intent, stage=Stage.DECLINED, request_id="another")


class TestDirectDebit:
    """Saved through CreatePaymentMethod."""

    pytestmark = pytest.mark.asyncio

    async def test_is_saved_once(self, page: Page, payorch_service: FakePayorch) -> None:
        """With the account of the order."""
        states = [await page.send("direct-debit", {"iban": IBAN}) for _ in range(2)]

        assert [state["stage"] for state in states] == ["done", "done"]
        request = payorch_service.executed[0].request
        assert (request.account_by_id.id, request.sepa_debit.iban) == (ORDER.account_id, IBAN)
        assert len(payorch_service.executed) == 1

    async def test_can_be_corrected(self, page: Page, payorch_service: FakePayorch) -> None:
        """A number that is refused may be typed again."""
        payorch_service.fail_with("REQUEST_INVALID", violations={"sepa_debit.iban": "must be an IBAN"})

        states = [await page.send("direct-debit", {"iban": iban}) for iban in ("DE1", IBAN)]

        assert [(state["stage"], state["action"]) for state in states] == [("refused", "start"), ("done", "none")]


class TestCardSession:
    """For Zuora's own form."""

    pytestmark = pytest.mark.asyncio

    async def test_is_fresh_each_time_and_moves_no_money(self, page: Page, payorch_service: FakePayorch) -> None:
        """A session is for showing the form once."""
        tokens = {(await page.send("card-session", {}))["token"] for _ in range(2)}

        assert len(tokens) == 2
        assert {call.request.WhichOneof("flow") for call in payorch_service.executed} == {"store_only"}

    async def test_that_fails_says_no_more_than_the_reference(self, page: Page, payorch_service: FakePayorch) -> None:
        """Reasons are for developers."""
        payorch_service.fail_with("UPSTREAM_INTERNAL")

        async with page.client.post(f"/orders/{ORDER.id}/card-session", json={}) as answer:
            assert (answer.status, await answer.json()) == (502, {"track_id": payorch_service.calls[0].track_id})


class TestRequests:
    """Of pages, and of others who send what pages do not."""

    pytestmark = pytest.mark.asyncio

    @pytest.mark.parametrize(
        ("body", "content_type", "status"),
        [
            (b'{"token": "text"}', "application/json", 400),
            (b'{"token": {', "application/json", 400),
            (b"[]", "application/json", 400),
            (b'{"token": {"a": 1}}', "text/plain", 415),
            (b'{"token": {"a": "' + b"b" * 70_000 + b'"}}', "application/json", 413),
        ],
    )
    async def test_that_are_wrong_send_nothing(
        self, page: Page, payorch_service: FakePayorch, body: bytes, content_type: str, status: int
    ) -> None:
        """Forms of other sites cannot have the type of JSON, so browsers keep them away."""
        headers = {"Content-Type": content_type}
        async with page.client.post(f"/orders/{ORDER.id}/payment", data=body, headers=headers) as answer:
            assert answer.status == status
        assert payorch_service.calls == []

    async def test_for_no_order_are_not_found(self, page: Page) -> None:
        """Whatever they ask for."""
        async with page.client.post("/orders/1/payment", json={"token": TOKEN}) as answer:
            assert answer.status == 404

    async def test_show_the_state_of_an_order(self, page: Page) -> None:
        """So a reload shows what the last click did."""
        await page.pay({"token": TOKEN})

        async with page.client.get(f"/orders/{ORDER.id}") as answer:
            order = await answer.json()
        assert (order["amount"], order["payment"]["stage"], order["debit"]["stage"]) == ("42.50", "done", "new")

    @pytest.mark.parametrize("path", ["/", "/page/shop.js", "/page/shop.css"])
    async def test_get_the_page_under_a_policy(self, page: Page, path: str) -> None:
        """No script of others runs beside it."""
        async with page.client.get(path) as answer:
            assert answer.status == 200
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


class TestTexts:
    """What the payer reads."""

    @pytest.mark.parametrize("purpose", [PAYMENT, DEBIT])
    def test_exist_for_every_stage(self, purpose: str) -> None:
        """All but the first say something."""
        silent = {stage for stage in Stage if not shown(Intent("1", purpose, "id", stage)).text}

        assert silent == {Stage.NEW}
