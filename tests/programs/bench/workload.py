"""What all processes of a run agree on: names, ids, and the requests and answers at the upstream end."""

import secrets
from typing import Final

from payorch.v1 import call_pb2, session_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2

METHOD: Final = "/payorch.v1.PaymentOrchestrationService/CreateSession"
TENANT: Final = "bench"
ENTITY_ID: Final = "11111111-1111-4111-8111-111111111111"
GATEWAY_ID: Final = "4028801a000000000000000000000001"
GATEWAY_LABEL: Final = "Cards"
CLIENT_ID: Final = "bench-client-00000000000000000000001"
SESSIONS_PATH: Final = "/web-payments/sessions"
DECRYPTION_PATH: Final = "/v1/payment-methods/decryption"
METHODS_PATH: Final = "/v2/payment_methods"
TOKEN_PATH: Final = "/oauth/token"
ACCOUNT_ID: Final = "8ad0950c8292d19f018296a7e3b10001"
INVOICE: Final = "INV00001274"
ZUORA_REQUEST_ID: Final = "ecc29866-7216-48a5-904d-fe0c9595bf3a"
# What the service sends upstream for a CreateSession.
UPSTREAM_BODY: Final = (
    f'{{"currency":"USD","amount":123.45,"processPayment":true,"storePaymentMethod":true,"accountId":"{ACCOUNT_ID}",'
    f'"paymentGateway":"{GATEWAY_ID}","invoices":[{{"invoiceNumber":"{INVOICE}"}}]}}'
).encode()
SESSION_TOKEN: Final = "178a35LPLDYKawTD7Ctr7kFV1DEsLgiW"
HUB_TENANT: Final = "12368"
HUB_USER: Final = "zuora"
HUB_PASSWORD: Final = "bench"
_HUB_PAYMENT: Final = (
    b'{"billingAccount":{"accountNumber":"A00000004","currency":"USD"},"operation":"Payment","payment":{"amount":"200",'
    b'"currency":"USD","id":"%s","paymentNumber":"P-00000011"},"paymentGatewayName":"UPC_Token","paymentMethod":{"id":'
    b'"4028818579a43c3f0179aba2808103e8","type":"AmazonPay__c_12368","upcTokenData":{"AmazonAccount":'
    b'"SampleAmazonAccount","AmazonToken":"3sample54cf04113e3f1595951874003","AmazonTokenType":"Digital",'
    b'"ShopperEmail":"sample@testmail.com","ShoppingDate":""}},"tenantId":"12368"}'
)
"""The payment of Zuora's examples."""


def hub_payment(payment_id: str) -> bytes:
    """Return a payment as Zuora sends it to the hub."""
    return _HUB_PAYMENT % payment_id.encode()


def upstream_headers() -> dict[str, str]:
    """Return headers as the service sends them upstream."""
    return {
        "accept": "application/json",
        "accept-encoding": "gzip",
        "user-agent": "payorch-bench",
        "content-type": "application/json",
        "zuora-track-id": secrets.token_hex(16),
        "idempotency-key": f"po1-{secrets.token_hex(20)}",
        "zuora-entity-ids": ENTITY_ID,
        "authorization": f"Bearer {'t' * 32}",
    }


def response() -> service_pb2.CreateSessionResponse:
    """Return what the service answers, for the echo to answer the same number of bytes."""
    made = service_pb2.CreateSessionResponse(
        session=session_pb2.Session(token=SESSION_TOKEN),
        call=call_pb2.CallInfo(
            track_id=secrets.token_hex(16),
            executed_track_id=secrets.token_hex(16),
            zuora_request_id=ZUORA_REQUEST_ID,
            matched_rule="all",
            policy_hash="0" * 12,
            attempt_count=1,
            replayed=call_pb2.REPLAY_NO,
        ),
    )
    route = made.call.route_taken
    route.tenant, route.host, route.gateway = TENANT, "127.0.0.1:40000", "cards"
    route.entity, route.entity_id = "main", ENTITY_ID
    made.call.first_send_time.FromSeconds(1_800_000_000)
    made.call.first_send_time.nanos = 123_456_000
    return made
