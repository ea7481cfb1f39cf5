"""The OpenAPI document says what Envoy takes and answers."""

from typing import Any, Final

import generate
import pytest
import yaml
from harness.requests import decryption_request, payment_method_request, session_request
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from payorch.v1 import payment_orchestration_service_pb2 as pb

from gateway.calls import SERVICE, Front, as_json

DOCUMENT: Final = yaml.safe_load((generate.ROOT / "build/clients/openapi.yaml").read_text())
REQUESTS: Final = {
    "CreateSession": lambda: as_json(session_request()),
    "DecryptApplePay": lambda: as_json(decryption_request()),
    "CreatePaymentMethod": lambda: as_json(payment_method_request()),
    "GetIntent": lambda: {"requestId": "openapi-00000001", "operation": "OPERATION_CREATE_SESSION"},
}


def wrong(schema: dict[str, Any], instance: Any) -> list[str]:
    """Return what breaks a schema of the document."""
    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    return [f"{one.json_path}: {one.message}" for one in validator.iter_errors(instance)]


def operation(method: str) -> dict[str, Any]:
    """Return what the document says of a method."""
    return dict(DOCUMENT["paths"][f"/{SERVICE}/{method}"]["post"])


def request_schema(method: str) -> dict[str, Any]:
    """Return the schema of a method's body."""
    return dict(operation(method)["requestBody"]["content"]["application/json"]["schema"])


def answer_schema(method: str, status: str) -> dict[str, Any]:
    """Return the schema of a method's answer."""
    return dict(operation(method)["responses"][status]["content"]["application/json"]["schema"])


def test_is_openapi() -> None:
    """By the rules of OpenAPI 3.1."""
    assert [] == list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors())


def test_has_exactly_the_methods_of_callers() -> None:
    """DiagnosticsService is not reachable through the gateway."""
    methods = pb.DESCRIPTOR.services_by_name["PaymentOrchestrationService"].methods

    assert {f"/{SERVICE}/{one.name}" for one in methods} == set(DOCUMENT["paths"])


@pytest.mark.asyncio
@pytest.mark.parametrize("method", REQUESTS)
async def test_rightful_calls_are_as_it_says(front: Front, method: str) -> None:
    """Requests that the service takes, and what it answers."""
    request = REQUESTS[method]()

    answer = await front.post(method, request)

    assert [] == wrong(request_schema(method), request)
    assert 200 == answer.status or "GetIntent" == method
    assert [] == wrong(answer_schema(method, "200" if answer.status == 200 else "default"), answer.json)


@pytest.mark.asyncio
@pytest.mark.parametrize("method", REQUESTS)
async def test_errors_are_as_it_says(front: Front, method: str) -> None:
    """Errors of the gateway, of the service, and of Zuora through the service."""
    schema = answer_schema(method, "default")
    nobody = as_json(session_request())
    nobody["oneTimePayment"]["accountId"] = "nobody"
    front.stack.emulator.faults.add("sessions:429")

    for name, request in ((method, {}), (method, {"nothing": 1}), ("CreateSession", nobody)):
        answer = await front.post(name, request)

        assert answer.status >= 400
        assert [] == wrong(schema, answer.json)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"validateOnlyy": True}, "no such field"),
        ({"storeOnly": {}}, "two arms of a oneof"),
        ({"validateOnly": "yes"}, "text for a boolean"),
        ({"oneTimePayment": {"amount": {"curencyCode": "USD"}}}, "no such field further down"),
        ({"route": {"country": "Germany"}}, "a value that breaks a rule"),
    ],
)
def test_refuses_what_the_gateway_refuses(change: dict[str, Any], why: str) -> None:
    """So that a caller's own tools find it."""
    assert wrong(request_schema("CreateSession"), as_json(session_request()) | change), why


def test_a_token_may_be_as_long_as_the_service_takes() -> None:
    """Its rule counts bytes, the document characters of base64."""
    request = as_json(decryption_request()) | {"tokenJson": "A" * 4 * 5462}

    assert [] == wrong(request_schema("DecryptApplePay"), request)
    assert wrong(request_schema("DecryptApplePay"), request | {"tokenJson": "A" * 4 * 5463})
