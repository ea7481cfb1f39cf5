"""Every replica sends the same bytes for the same request: Zuora may refuse or execute others under a known key."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from harness.requests import payment_method_request, session_request

# The order of a protobuf map follows a seed that each process draws at its start.
PROGRAM: Final = """
import sys
from harness.checked import checked
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.model.secret import Secret
from payorch_server.rpc.decode import decode_create_session
from payorch_server.rpc.decode_payment_method import decode_create_payment_method
from payorch_server.store.keyring import Keyring
from payorch_server.zuora.messages import encode_body
from payorch_server.zuora.resources import payment_methods, sessions
from harness.routes import route, tenant

keyring = Keyring((("k", Secret(bytes(32))),), entropy=bytes)
data = sys.stdin.buffer.read()
if sys.argv[1] == "session":
    command = decode_create_session(checked(service_pb2.CreateSessionRequest.FromString(data)), keyring)
    call = sessions.build(command.session, route=route(), tenant=tenant())
else:
    command = decode_create_payment_method(checked(service_pb2.CreatePaymentMethodRequest.FromString(data)), keyring)
    call = payment_methods.build(command.request, route=route(), tenant=tenant())
sys.stdout.buffer.write(encode_body(call.body))
"""


def bodies(kind: str, message: bytes) -> set[bytes]:
    """Return the bodies that four processes make of a request."""
    command, env = [sys.executable, "-c", PROGRAM, kind], {"PYTHONPATH": str(Path(__file__).parents[1])}
    return {
        subprocess.run(command, input=message, capture_output=True, check=True, env=env).stdout  # noqa: S603 - our own
        for _ in range(4)
    }


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["session", "payment method"])
def test_of_a_request_with_maps_are_the_same_in_every_process(kind: str) -> None:
    """A resend that another replica takes over is no other request."""
    request = session_request() if kind == "session" else payment_method_request()
    for number in range(12):
        request.gateway_options[f"option-{number}"] = "value"
        if kind == "payment method":
            request.custom_fields[f"field_{number}__c"].text = "value"

    found = bodies(kind, request.SerializeToString())

    assert len(found) == 1
    assert b"option-11" in found.pop()
