"""What a Python engineer would write in a day: grpc.aio in front of httpx, with pydantic and OpenTelemetry's SDK.

It is written as well as its libraries allow: uvloop, one client for all calls, a batch processor. It has none of these:
intents and their records, fingerprints, sealing, replays, rights, an audit, log lines and their scrubber, routing,
renewal of tokens, retries, limits, a circuit breaker, deadlines passed on, checks of fields beyond their types, unknown
outcomes, metrics, call records, tail sampling, exact decimals.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import grpc
import httpx
import uvloop
from google.protobuf.json_format import MessageToDict, ParseDict  # noqa: TID251 - what others map messages with
from google.protobuf.message import Message
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider  # noqa: TID251 - what others trace with
from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: TID251 - the same
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from pydantic import Base64Bytes, BaseModel

from programs.bench.workload import (
    CLIENT_ID,
    DECRYPTION_PATH,
    ENTITY_ID,
    GATEWAY_ID,
    GATEWAY_LABEL,
    METHODS_PATH,
    SESSIONS_PATH,
    TOKEN_PATH,
)

_NAME: Final = "payorch.v1.PaymentOrchestrationService"
_TIMEOUT_S: Final = 30.0


class _Request(BaseModel):
    request_id: str

    def body(self) -> dict[str, Any]:
        """Return what is sent upstream."""
        raise NotImplementedError


class _Amount(BaseModel):
    currency_code: str
    units: int = 0
    nanos: int = 0

    @property
    def value(self) -> float:
        return self.units + self.nanos / 1e9


class _Invoice(BaseModel):
    invoice_number: str


class _PayAndStore(BaseModel):
    amount: _Amount
    account_id: str
    invoices: list[_Invoice] = []


class _Session(_Request):
    pay_and_store: _PayAndStore

    def body(self) -> dict[str, Any]:
        flow = self.pay_and_store
        return {
            "currency": flow.amount.currency_code,
            "amount": flow.amount.value,
            "processPayment": True,
            "storePaymentMethod": True,
            "accountId": flow.account_id,
            "paymentGateway": GATEWAY_ID,
            "invoices": [{"invoiceNumber": invoice.invoice_number} for invoice in flow.invoices],
        }


class _PaidInvoice(BaseModel):
    invoice: str


class _Decryption(_Request):
    token_json: Base64Bytes
    merchant_id: str
    account_id: str
    pay_invoice: _PaidInvoice

    def body(self) -> dict[str, Any]:
        return {
            "integrationType": "ApplePay",
            "merchantID": self.merchant_id,
            "paymentToken": json.loads(self.token_json)["paymentData"],
            "processPayment": True,
            "accountID": self.account_id,
            "invoiceId": self.pay_invoice.invoice,
            "paymentGateway": GATEWAY_LABEL,
        }


class _Account(BaseModel):
    id: str


class _Mandate(BaseModel):
    id: str


class _SepaDebit(BaseModel):
    iban: str
    mandate: _Mandate


class _Method(_Request):
    account_by_id: _Account
    sepa_debit: _SepaDebit

    def body(self) -> dict[str, Any]:
        return {
            "type": "sepa_debit",
            "account_id": self.account_by_id.id,
            "gateway_id": GATEWAY_ID,
            "sepa_debit": {"IBAN": self.sepa_debit.iban, "mandate": self.sepa_debit.mandate.model_dump()},
        }


@dataclass(frozen=True, slots=True)
class _Rpc:
    name: str
    model: type[_Request]
    path: str
    response: type[Message]
    answer_of: Callable[[Mapping[str, Any]], dict[str, Any]]


_CREATE_SESSION: Final = _Rpc(
    "CreateSession",
    _Session,
    SESSIONS_PATH,
    service_pb2.CreateSessionResponse,
    lambda answer: {"session": {"token": answer["token"]}},
)
_DECRYPT_APPLE_PAY: Final = _Rpc(
    "DecryptApplePay",
    _Decryption,
    DECRYPTION_PATH,
    service_pb2.DecryptApplePayResponse,
    lambda answer: {
        "payment_method_id": answer["paymentMethodId"],
        "payment_id": answer["paymentId"],
        "reported_amount": answer["amount"],
    },
)
_CREATE_PAYMENT_METHOD: Final = _Rpc(
    "CreatePaymentMethod",
    _Method,
    METHODS_PATH,
    service_pb2.CreatePaymentMethodResponse,
    lambda answer: {"payment_method": {name: answer[name] for name in ("id", "type", "state", "account_id")}},
)


class _Service(service_grpc.PaymentOrchestrationServiceServicer):
    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self._http = http
        self._authorization = f"Bearer {token}"
        self._tracer = trace.get_tracer("naive")

    async def CreateSession(self, request: Any, context: Any) -> Any:  # noqa: N802 - its name in the protocol
        return await self._run(_CREATE_SESSION, request, context)

    async def DecryptApplePay(self, request: Any, context: Any) -> Any:  # noqa: N802 - its name in the protocol
        return await self._run(_DECRYPT_APPLE_PAY, request, context)

    async def CreatePaymentMethod(self, request: Any, context: Any) -> Any:  # noqa: N802 - its name in the protocol
        return await self._run(_CREATE_PAYMENT_METHOD, request, context)

    async def GetIntent(self, _request: Any, context: Any) -> Any:  # noqa: N802 - its name in the protocol
        return await context.abort(grpc.StatusCode.UNIMPLEMENTED, "there are no intents")

    async def _run(self, rpc: _Rpc, request: Message, context: Any) -> Any:
        metadata = dict(context.invocation_metadata())
        track_id = metadata.get("zuora-track-id", "")
        parent = propagate.extract(metadata)
        attributes = {"rpc.system": "grpc", "rpc.service": _NAME, "rpc.method": rpc.name, "zuora.track_id": track_id}
        span_name = f"{_NAME}/{rpc.name}"
        with self._tracer.start_as_current_span(span_name, parent, trace.SpanKind.SERVER, attributes) as span:
            checked = rpc.model.model_validate(MessageToDict(request, preserving_proto_field_name=True))
            try:
                response = (await self._post(rpc.path, checked, track_id)).raise_for_status()
            except httpx.HTTPError as error:
                return await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            call = {"track_id": track_id, "zuora_request_id": response.headers["zuora-request-id"]}
            span.set_attribute("rpc.grpc.status_code", 0)
            return ParseDict({**rpc.answer_of(response.json()), "call": call}, rpc.response())

    async def _post(self, path: str, checked: _Request, track_id: str) -> httpx.Response:
        headers = {
            "authorization": self._authorization,
            "idempotency-key": checked.request_id,
            "zuora-entity-ids": ENTITY_ID,
            "zuora-track-id": track_id,
        }
        url = self._http.base_url
        attributes = {"http.request.method": "POST", "url.full": f"{url}{path}", "server.address": url.host}
        with self._tracer.start_as_current_span("POST", kind=trace.SpanKind.CLIENT, attributes=attributes) as span:
            propagate.inject(headers)
            response = await self._http.post(path, json=checked.body(), headers=headers)
            span.set_attribute("http.response.status_code", response.status_code)
            return response


async def _serve(upstream: str, collector: str) -> None:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(collector, insecure=True)))
    trace.set_tracer_provider(provider)
    async with httpx.AsyncClient(base_url=upstream, timeout=_TIMEOUT_S) as http:
        granted = await http.post(TOKEN_PATH, data={"grant_type": "client_credentials", "client_id": CLIENT_ID})
        server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        service_grpc.add_PaymentOrchestrationServiceServicer_to_server(
            _Service(http, granted.json()["access_token"]), server
        )
        print(server.add_insecure_port("127.0.0.1:0"), flush=True)
        await server.start()
        await asyncio.to_thread(sys.stdin.read)
        await server.stop(None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("upstream")
    parser.add_argument("collector")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options.upstream, options.collector))
