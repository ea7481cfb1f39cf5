"""A double of the service for the tests of its callers: in this process, without Zuora.

`FakePayorch` answers as the service does. With `pytest_plugins = ["payorch.testing.pytest_plugin"]` in conftest.py,
tests get one as the fixture `payorch_service`.

>>> from payorch.v1 import payment_orchestration_service_pb2 as pb
>>> request = pb.CreateSessionRequest(request_id="order-4711-attempt-1")
>>> request.one_time_payment.account_id = "2c92c0f8000000000000000000000001"
>>> with FakePayorch() as fake, fake.connect() as client:
...     fake.fail_with("UPSTREAM_NO_ANSWER", executed=True)
...     answer = client.create_session(request)
>>> [(call.reason, call.executed) for call in fake.calls]
[('UPSTREAM_NO_ANSWER', True), ('', False)]
"""

from payorch.testing.fake import FakePayorch
from payorch.testing.recorded import RecordedCall

__all__ = ["FakePayorch", "RecordedCall"]
