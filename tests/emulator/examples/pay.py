"""Pays an invoice with Apple Pay at the emulator, whose first answer is lost; the second send must not pay again.

zuora-emulator serve &
python pay.py http://127.0.0.1:9080

This is not Zuora: the client is published, and the token comes from the emulator.
"""

import sys
import uuid

import httpx

ENTITY = "11111111-1111-4111-8111-111111111111"
CLIENT = {
    "client_id": "emulator-client-a-000000000000000001",
    "client_secret": "emulator-secret-a",
    "grant_type": "client_credentials",
}


def main(base_url: str) -> None:
    """Pay 42.50 USD of INV00000002."""
    with httpx.Client(base_url=base_url, trust_env=False) as http:
        access_token = http.post("/oauth/token", data=CLIENT).raise_for_status().json()["access_token"]
        wanted = {"amount": "42.50", "currency": "USD"}
        minted = http.post("/_emulator/apple-pay-tokens", json=wanted).raise_for_status().json()
        payment = {
            "integrationType": "ApplePay",
            "merchantID": "merchant.example.payorch",
            "paymentToken": minted["token"],
            "processPayment": True,
            "accountID": "2c92c0f8000000000000000000000001",
            "invoiceId": "INV00000002",
            "paymentGateway": "Emulator Cards US",
        }
        headers = {
            "authorization": f"Bearer {access_token}",
            "zuora-entity-ids": ENTITY,
            "zuora-track-id": "order-4711",
            "zuora-version": "2025-08-12",
            "idempotency-key": str(uuid.uuid4()),
        }

        http.post("/_emulator/faults", json={"fault": "decryption:drop_after"}).raise_for_status()
        try:
            http.post("/v1/payment-methods/decryption", json=payment, headers=headers)
        except httpx.TransportError:
            print("no answer, so the same request is sent again with the same key")
        answer = http.post("/v1/payment-methods/decryption", json=payment, headers=headers).raise_for_status().json()

        executed = http.get("/_emulator/ledger", params={"track_id": "order-4711"}).json()["entries"]
        print(f"payment {answer['paymentId']}; executed {len(executed)} time(s)")


if __name__ == "__main__":
    main(sys.argv[1])
