"""The servicer for callers: each method decodes, calls a use case and encodes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

from payorch_server.model.identifiers import RequestId
from payorch_server.model.operation import CREATE_PAYMENT_METHOD, CREATE_SESSION, DECRYPT_APPLE_PAY
from payorch_server.rpc.current import active_call
from payorch_server.rpc.decode import decode_create_session, decode_decrypt_apple_pay, token_violations
from payorch_server.rpc.decode_payment_method import decode_create_payment_method, further_violations
from payorch_server.rpc.encode import (
    encode_create_payment_method,
    encode_create_session,
    encode_decrypt_apple_pay,
    encode_intent,
)
from payorch_server.rpc.validation import Check, Validator
from payorch_server.store.keyring import Keyring
from payorch_server.usecases.create_payment_method import create_payment_method
from payorch_server.usecases.create_session import create_session
from payorch_server.usecases.decrypt_apple_pay import decrypt_apple_pay
from payorch_server.usecases.settings import PaymentMethodSettings, SessionSettings

_REQUEST_TYPES: Final = (
    service_pb2.CreateSessionRequest,
    service_pb2.DecryptApplePayRequest,
    service_pb2.CreatePaymentMethodRequest,
    service_pb2.GetIntentRequest,
)
OPERATIONS: Final = {
    service_pb2.OPERATION_CREATE_SESSION: CREATE_SESSION.name,
    service_pb2.OPERATION_DECRYPT_APPLE_PAY: DECRYPT_APPLE_PAY.name,
    service_pb2.OPERATION_CREATE_PAYMENT_METHOD: CREATE_PAYMENT_METHOD.name,
}
FURTHER_CHECKS: Final[Mapping[str, Check]] = {
    "payorch.v1.DecryptApplePayRequest": token_violations,
    "payorch.v1.CreatePaymentMethodRequest": further_violations,
}
"""Checks of decoding beyond the rules in the protos, by request type."""


@dataclass(frozen=True, slots=True)
class ServicerOptions:
    """What the use cases need beside the policy: what a reload never changes."""

    keyring: Keyring
    payment_methods: PaymentMethodSettings
    sessions: SessionSettings


class PaymentOrchestrationServicer(service_grpc.PaymentOrchestrationServiceServicer):
    """Serves payorch.v1.PaymentOrchestrationService."""

    def __init__(self, options: ServicerOptions) -> None:
        self._options = options
        self._validator = Validator(FURTHER_CHECKS)
        self._validator.compile(_REQUEST_TYPES)

    async def CreateSession(  # noqa: N802 - generated name
        self, request: service_pb2.CreateSessionRequest, _context: Any
    ) -> service_pb2.CreateSessionResponse:
        """Create a payment session."""
        checked = await self._validator.check_on_loop(request)
        command, active = decode_create_session(checked, self._options.keyring), active_call()
        result = await create_session(
            command,
            context=active.context,
            dispatcher=active.policy.dispatcher,
            max_age_s=self._options.sessions.max_age_s,
        )
        response = encode_create_session(result)
        response.call.request_id = request.request_id
        return response

    async def DecryptApplePay(  # noqa: N802
        self, request: service_pb2.DecryptApplePayRequest, _context: Any
    ) -> service_pb2.DecryptApplePayResponse:
        """Decrypt an Apple Pay token at Zuora."""
        checked = await self._validator.check_on_loop(request)
        command, active = decode_decrypt_apple_pay(checked, self._options.keyring), active_call()
        result = await decrypt_apple_pay(
            command,
            context=active.context,
            dispatcher=active.policy.dispatcher,
            settings=self._options.payment_methods,
        )
        response = encode_decrypt_apple_pay(result, command.expected_amount)
        response.call.request_id = request.request_id
        return response

    async def CreatePaymentMethod(  # noqa: N802
        self, request: service_pb2.CreatePaymentMethodRequest, _context: Any
    ) -> service_pb2.CreatePaymentMethodResponse:
        """Create a payment method."""
        checked = await self._validator.check_on_loop(request)
        command, active = decode_create_payment_method(checked, self._options.keyring), active_call()
        result = await create_payment_method(
            command,
            context=active.context,
            dispatcher=active.policy.dispatcher,
            settings=self._options.payment_methods,
        )
        response = encode_create_payment_method(result)
        response.call.request_id = request.request_id
        return response

    async def GetIntent(  # noqa: N802
        self, request: service_pb2.GetIntentRequest, _context: Any
    ) -> service_pb2.GetIntentResponse:
        """Return the state of an intent in the caller's namespace."""
        request = (await self._validator.check_on_loop(request)).message
        rpc, request_id, active = OPERATIONS[request.operation], RequestId(request.request_id), active_call()
        status = await active.policy.dispatcher.look_up(rpc=rpc, request_id=request_id, context=active.context)
        return encode_intent(status, rpc=rpc)
