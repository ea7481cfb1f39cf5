import pytest
from contract.zuora_caller import DECRYPTION, METHODS, METHODS_V1, SESSIONS, Caller, apple_token, decryption
from zuora_emulator import seed

pytestmark = pytest.mark.asyncio

CANARY = "canary"


async def test_books_hold_no_secret(caller: Caller) -> None:
    wallet = f'{{"token":"{CANARY}"}}'
    token = apple_token(100) | {"signature": CANARY, "extra": CANARY}
    card = {"card_number": "4111111111111111", "brand": "visa", "expiry_month": 1, "expiry_year": 2031}
    calls = [
        (DECRYPTION, decryption(paymentToken=token, cardHolderInfo={"cardHolderName": CANARY})),
        (METHODS, {"type": "card", "card": card | {"security_code": CANARY}, "custom_fields": {"x": CANARY}}),
        (METHODS, {"type": "sepa_debit", "sepa_debit": {"IBAN": "DE89370400440532013000"}}),
        (METHODS, {"type": "bacs_debit", "bacs_debit": {"account_number": CANARY, "bank_code": CANARY}}),
        (METHODS_V1, {"type": "AdyenApplePay", "applePaymentData": wallet}),
        (METHODS_V1, {"type": "GooglePay", "googlePaymentToken": wallet, "accountNumber": CANARY}),
        (METHODS_V1, {"type": "Example__c_10001", "anyField": CANARY, "securityCode": 4321}),
        (METHODS_V1, {"type": "Example__c_10001", f"{CANARY}-": "x"}),
        (METHODS, {"type": "card", "card": card | {CANARY: 1}}),
        (f"{METHODS}?expand[]={CANARY}&{CANARY}=1", {"type": "card", "card": card}),
        (SESSIONS, {"currency": "USD", "amount": 1, "processPayment": False, "gatewayOptions": {"a": CANARY}}),
        (SESSIONS, CANARY),
        (SESSIONS, [CANARY]),
    ]
    issued = (await caller.token()).json()["access_token"]
    sessions = []
    for path, body in calls:
        answer = await caller.post(path, body, cookie=CANARY)
        if path == SESSIONS and answer.is_success:
            sessions.append(answer.json()["token"])
    await caller.http.post("/oauth/token", content=f"client_secret={CANARY}&{CANARY}={CANARY}".encode())

    books = (await caller.http.get("/_emulator/journal")).text + (await caller.http.get("/_emulator/ledger")).text

    planted = [CANARY, "4111111111111111", "4321", "DE89", issued, *sessions, seed.CLIENT_A.client_secret, "Bearer "]
    assert sessions
    assert [secret for secret in planted if secret in books] == []
