"""The RPCs that the clients call: their paths and their messages."""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from google.protobuf.message import Message

from payorch.v1 import diagnostics_service_pb2 as diagnostics
from payorch.v1 import payment_orchestration_service_pb2 as pb

Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer", bound=Message)


@dataclass(frozen=True, slots=True)
class Rpc(Generic[Request, Answer]):
    """A unary RPC."""

    service: str
    name: str
    request: type[Request]
    answer: type[Answer]

    @property
    def path(self) -> str:
        """The path of its method."""
        return f"/{self.service}/{self.name}"


PAYMENTS: Final = "payorch.v1.PaymentOrchestrationService"
DIAGNOSTICS: Final = "payorch.v1.DiagnosticsService"
CREATE_SESSION: Final = Rpc(PAYMENTS, "CreateSession", pb.CreateSessionRequest, pb.CreateSessionResponse)
DECRYPT_APPLE_PAY: Final = Rpc(PAYMENTS, "DecryptApplePay", pb.DecryptApplePayRequest, pb.DecryptApplePayResponse)
CREATE_PAYMENT_METHOD: Final = Rpc(
    PAYMENTS, "CreatePaymentMethod", pb.CreatePaymentMethodRequest, pb.CreatePaymentMethodResponse
)
GET_INTENT: Final = Rpc(PAYMENTS, "GetIntent", pb.GetIntentRequest, pb.GetIntentResponse)
EXPLAIN_ROUTE: Final = Rpc(
    DIAGNOSTICS, "ExplainRoute", diagnostics.ExplainRouteRequest, diagnostics.ExplainRouteResponse
)
GET_CALL: Final = Rpc(DIAGNOSTICS, "GetCall", diagnostics.GetCallRequest, diagnostics.GetCallResponse)
GET_QUOTA: Final = Rpc(DIAGNOSTICS, "GetQuota", diagnostics.GetQuotaRequest, diagnostics.GetQuotaResponse)
