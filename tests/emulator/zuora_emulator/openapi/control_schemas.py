"""The schemas of what the control endpoints answer; endpoints without an entry answer some object."""

from collections.abc import Mapping
from dataclasses import fields

from zuora_emulator.journal import Arrival
from zuora_emulator.ledger import LedgerEntry
from zuora_emulator.openapi.schema_parts import (
    AMOUNT_AS_TEXT,
    ANYTHING,
    CURRENCY,
    FILLED,
    TEXT,
    TEXTS,
    TIME,
    WHOLE,
    Schema,
    closed,
    items,
    nullable,
    ref,
)
from zuora_emulator.settings import Settings

ANY_VALUE: Schema = {}


def control_schemas() -> dict[str, Schema]:
    """Return the schemas by name."""
    times = {"anyOf": [WHOLE, {"const": "always"}]}
    return {
        "LedgerEntry": closed(
            {field.name: ANY_VALUE for field in fields(LedgerEntry)}
            | {"operation": FILLED, "time": TIME, "effects": TEXTS, "amount": nullable(AMOUNT_AS_TEXT)}
        ),
        "JournalEntry": closed(
            {field.name: ANY_VALUE for field in fields(Arrival)}
            | {"number": WHOLE, "time": TIME, "operation": FILLED, "headers": TEXTS, "status": nullable(WHOLE)}
        ),
        "SeededAccount": closed(
            {
                "id": FILLED,
                "number": FILLED,
                "tenant": FILLED,
                "entity": FILLED,
                "org": nullable(TEXT),
                "currency": CURRENCY,
                "gateway_id": FILLED,
            }
        ),
        "Invoice": closed(
            {
                "id": FILLED,
                "number": FILLED,
                "account_id": FILLED,
                "currency": CURRENCY,
                "balance": AMOUNT_AS_TEXT,
            }
        ),
        "Faults": closed(
            {"faults": items(closed({"fault": FILLED, "times": times, "until": TIME}, optional=("until",)))}
        ),
        "Clock": closed({"now": TIME, "next_due": nullable(TIME)}),
        "Switches": closed({"switches": closed({field.name: ANY_VALUE for field in fields(Settings)})}),
    }


CONTROL_ANSWERS: Mapping[str, Schema] = {
    "GET /_emulator/health": closed({"status": {"const": "ok"}, "zuora": {"const": False}}),
    "GET /_emulator/ledger": closed({"entries": items(ref("LedgerEntry"))}),
    "GET /_emulator/journal": closed({"entries": items(ref("JournalEntry"))}),
    "GET /_emulator/accounts": closed({"accounts": items(ref("SeededAccount"))}),
    "GET /_emulator/invoices": closed({"invoices": items(ref("Invoice"))}),
    "GET /_emulator/invoices/{key}": ref("Invoice"),
    "GET /_emulator/faults": ref("Faults"),
    "POST /_emulator/faults": ref("Faults"),
    "DELETE /_emulator/faults": ref("Faults"),
    "GET /_emulator/clock": ref("Clock"),
    "POST /_emulator/clock": ref("Clock"),
    "GET /_emulator/switches": ref("Switches"),
    "PATCH /_emulator/switches": ref("Switches"),
    "GET /_emulator/apple-pay-tokens": closed({"variants": TEXTS, "defects": items(ANYTHING)}),
    "POST /_emulator/apple-pay-tokens": closed({"token": ANYTHING, "refused_as": nullable(TEXT)}),
    "DELETE /_emulator/access-tokens": closed({"revoked": WHOLE}),
}
"""By method and path."""
