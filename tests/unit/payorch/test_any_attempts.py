"""Whatever attempts end with, a payment is made once, and no error says more than was seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
import payorch
from hypothesis import given, settings
from hypothesis import strategies as st
from payorch.testing import FakePayorch
from payorch.testing.catalogue import Failure, catalogue
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as pb

PROXY = ""
"""In the place of a reason: an error without details."""


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt ends."""

    reason: str
    executed: bool = False

    @property
    def is_unknown(self) -> bool:
        """Whether it leaves open what happened."""
        return not self.reason or Failure(reason=self.reason).outcome == call_pb2.OUTCOME_UNKNOWN


def ends_of(reason: str) -> st.SearchStrategy[End]:
    """Return the ends with a reason; one whose outcome is unknown may have been executed."""
    can_be_executed = bool(reason) and End(reason).is_unknown
    return st.builds(End, st.just(reason), st.booleans() if can_be_executed else st.just(value=False))


ends = st.lists(st.sampled_from([PROXY, *catalogue()]).flatmap(ends_of), max_size=6)


def planned(fake: FakePayorch, plans: Sequence[End]) -> None:
    """Let the next attempts end like this."""
    for plan in plans:
        if plan.reason:
            fake.fail_with(plan.reason, executed=plan.executed, retry_after_s=0)
        else:
            fake.fail_without_details(grpc.StatusCode.UNAVAILABLE)


@given(ends)
@settings(deadline=None)
def test_a_payment_is_made_once_and_never_denied(plans: list[End]) -> None:
    """By the client, the double and the catalogue together."""
    request = pb.DecryptApplePayRequest(request_id="order-4711-attempt-1", token_json=b"{}")
    request.zuora_default.SetInParent()
    request.pay_invoice.invoice = "INV1"
    failed: payorch.PayorchError | None = None
    with FakePayorch() as fake:
        planned(fake, plans)
        with fake.connect(resend=payorch.Resend(attempts=4)) as client:
            try:
                client.decrypt_apple_pay(request)
            except payorch.PayorchError as error:
                failed = error

        assert len(fake.executed) <= 1
        assert {"order-4711-attempt-1"} == {call.request_id for call in fake.calls}
        if failed is None:
            assert 1 == len(fake.executed)
            return
        assert len(fake.calls) == len(failed.attempts)
        if isinstance(failed, payorch.NotSentError | payorch.RefusedError):
            assert [] == fake.executed
        if any(plan.is_unknown for plan in plans[: len(fake.calls)]):
            assert not isinstance(failed, payorch.NotSentError)
