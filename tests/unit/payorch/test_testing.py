"""The double answers as the service does."""

from collections.abc import Iterator

import payorch
import pytest
from google.rpc import error_details_pb2
from payorch.testing import FakePayorch
from payorch.testing.catalogue import Failure, catalogue
from payorch.v1 import call_pb2
from payorch.v1 import diagnostics_service_pb2 as diagnostics
from payorch.v1 import payment_orchestration_service_pb2 as pb
from payorch_server.model.errors import Failure as ServiceFailure
from payorch_server.model.errors import error_for
from payorch_server.model.identifiers import TrackId
from payorch_server.model.outcome import Reason, verdict_of
from payorch_server.rpc.status import status_of

ORDER = "order-4711-0000001"

pytest_plugins = ["payorch.testing.pytest_plugin"]


def session(request_id: str = ORDER, account: str = "a") -> pb.CreateSessionRequest:
    """Return a request for a session."""
    request = pb.CreateSessionRequest(request_id=request_id)
    request.one_time_payment.account_id = account
    return request


@pytest.fixture
def client(payorch_service: FakePayorch) -> Iterator[payorch.Client]:
    """Return a client of the double that sends once."""
    with payorch_service.connect(resend=payorch.Resend(attempts=1)) as connected:
        yield connected


class TestReasons:
    """All of the service's, with the same words."""

    @pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.name)
    def test_look_as_they_do_in_the_service(self, reason: Reason) -> None:
        """Code, text, reason, outcome and advice; of every RPC."""
        theirs = status_of(error_for(ServiceFailure(reason, "private")), track_id=TrackId("t"))
        ours = Failure(reason=reason.name, metadata={}).status("DecryptApplePay", "t")

        assert (theirs.code, theirs.message) == (ours.code, ours.message)
        infos = [error_details_pb2.ErrorInfo.FromString(one.details[0].value) for one in (theirs, ours)]
        assert infos[0].reason == infos[1].reason == reason.name
        assert theirs.details[1] == ours.details[1]
        assert verdict_of(reason, rpc="CreateSession").advice.name == call_pb2.Advice.Name(
            Failure(reason=reason.name).advice("CreateSession")
        ).removeprefix("ADVICE_")

    def test_are_all_there(self) -> None:
        """None is copied by hand."""
        assert {reason.name for reason in Reason} == set(catalogue())

    def test_that_do_not_exist_are_refused(self, payorch_service: FakePayorch) -> None:
        """With those that were meant."""
        with pytest.raises(ValueError, match="did you mean PAYMENT_DECLINED"):
            payorch_service.fail_with("PAYMENT_DECLINE")

    def test_that_say_nothing_was_done_do_nothing(self, payorch_service: FakePayorch) -> None:
        """A plan that contradicts itself."""
        with pytest.raises(ValueError, match="OVERLOADED says that the request was not executed"):
            payorch_service.fail_with("OVERLOADED", executed=True)

    def test_come_with_details(self, payorch_service: FakePayorch, client: payorch.Client) -> None:
        """Those that are given, and examples of the others."""
        payorch_service.fail_with("ROUTE_HINT_CONTRADICTED", metadata={"hint": "entity"}, zuora_codes=["1"])
        with pytest.raises(payorch.NotSentError) as refused:
            client.create_session(session())

        assert {"rule": "example", "hint": "entity"} == refused.value.error.metadata
        assert ("1",) == refused.value.error.zuora_codes


class TestIntents:
    """A request id stands for one execution."""

    def test_are_executed_once(self, payorch_service: FakePayorch, client: payorch.Client) -> None:
        """The same answer comes again."""
        first, again = client.create_session(session()), client.create_session(session())

        assert first.session.token == again.session.token
        assert [call_pb2.REPLAY_NO, call_pb2.REPLAY_YES] == [first.call.replayed, again.call.replayed]
        assert [True, False] == [call.executed for call in payorch_service.calls]

    @pytest.mark.parametrize(
        ("pays", "expects", "check", "amount"),
        [
            (True, True, pb.AMOUNT_CHECK_EQUAL, "42.5"),
            (False, True, pb.AMOUNT_CHECK_NOT_REPORTED, ""),
            (True, False, pb.AMOUNT_CHECK_UNSPECIFIED, ""),
        ],
    )
    def test_report_the_amount_that_was_expected(
        self, client: payorch.Client, *, pays: bool, expects: bool, check: int, amount: str
    ) -> None:
        """As the service does where the token holds it."""
        request = pb.DecryptApplePayRequest(request_id=ORDER, token_json=b"{}")
        request.zuora_default.SetInParent()
        (request.pay_invoice if pays else request.no_charge).SetInParent()
        if expects:
            request.expected_amount.CopyFrom(payorch.money("42.50", "USD"))

        answer = client.decrypt_apple_pay(request)

        assert (answer.amount_check, answer.reported_amount) == (check, amount)

    def test_of_another_request_are_refused(self, client: payorch.Client) -> None:
        """By the fields that differ."""
        client.create_session(session())
        with pytest.raises(payorch.NotSentError, match=r"^INTENT_MISMATCH.*\[one_time_payment: ") as refused:
            client.create_session(session(account="b"))

        assert ["one_time_payment"] == [violation.field for violation in refused.value.error.violations]

    def test_stay_refused(self, payorch_service: FakePayorch, client: payorch.Client) -> None:
        """Zuora keeps its answer under the key."""
        payorch_service.fail_with("PAYMENT_DECLINED")
        for _ in range(2):
            with pytest.raises(payorch.RefusedError, match=r"^PAYMENT_DECLINED"):
                client.create_session(session())

        assert [] == payorch_service.executed

    def test_are_open_after_an_unknown_outcome(self, payorch_service: FakePayorch, client: payorch.Client) -> None:
        """A resend settles them."""
        payorch_service.fail_with("UPSTREAM_NO_ANSWER")
        with pytest.raises(payorch.OutcomeUnknownError):
            client.create_session(session())
        asked = pb.GetIntentRequest(request_id=ORDER, operation=pb.OPERATION_CREATE_SESSION)
        before = client.get_intent(asked)
        client.create_session(session())

        assert [call_pb2.OUTCOME_UNKNOWN, call_pb2.OUTCOME_SUCCEEDED] == [
            one.call_outcome.outcome for one in (before, client.get_intent(asked))
        ]

    def test_that_are_not_known_are_not_found(self, client: payorch.Client) -> None:
        """As in the service."""
        asked = pb.GetIntentRequest(request_id=ORDER, operation=pb.OPERATION_CREATE_SESSION)

        assert pb.INTENT_STATE_NOT_FOUND == client.get_intent(asked).intent_state


class TestCalls:
    """What a test asserts."""

    def test_that_break_rules_are_refused(self, payorch_service: FakePayorch, client: payorch.Client) -> None:
        """By field, without a plan."""
        with pytest.raises(payorch.NotSentError) as refused:
            client.create_session(pb.CreateSessionRequest(request_id="short"))

        assert ["request_id", "flow"] == [violation.field for violation in refused.value.error.violations]
        assert ["REQUEST_INVALID"] == [call.reason for call in payorch_service.calls]

    def test_fail_by_rpc(self, payorch_service: FakePayorch, client: payorch.Client) -> None:
        """A plan for another one waits."""
        payorch_service.fail_with("PAYMENT_DECLINED", rpc="CreatePaymentMethod")

        assert client.create_session(session()).session.token

    def test_that_only_check_execute_nothing(self, payorch_service: FakePayorch, client: payorch.Client) -> None:
        """And name no session."""
        request = session()
        request.validate_only = True

        assert not client.create_session(request).HasField("session")
        assert [] == payorch_service.executed

    def test_of_operators_are_answered(self, payorch_service: FakePayorch) -> None:
        """By the same port."""
        with payorch.connect_diagnostics(payorch_service.target, plaintext=True) as client:
            client.get_quota(diagnostics.GetQuotaRequest(tenant="acme"))

        assert ["GetQuota"] == [call.rpc for call in payorch_service.calls]
