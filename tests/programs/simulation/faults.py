"""Which faults a request meets, and how often."""

import random
from typing import Final

from zuora_emulator.errors import STATUS_BY_CATEGORY

WIRE: Final = {
    "refused": 0.02,
    "connect_timeout": 0.015,
    "drop_before": 0.025,
    "drop_after": 0.025,
    "reset": 0.02,
    "late": 0.025,
    "delay": 0.02,
    "hang": 0.02,
    "cut_body": 0.015,
    "edge_before": 0.015,
    "edge_after": 0.015,
    "edge_4xx_after": 0.02,
    "bad_coding": 0.015,
    "too_large": 0.015,
    "unreadable_status": 0.02,
    "byte_order_mark": 0.015,
    "twice": 0.015,
}
"""What the network does to a request or its answer."""
REFUSALS: Final = {"cut_body": 0.15, "bad_coding": 0.15, "too_large": 0.1}
"""What it does besides to refusals that Zuora makes before it looks at the key, such as a 429."""
ZUORA: Final = {
    "401": 0.02,
    "429": 0.02,
    "403": 0.014,
    "503": 0.014,
    "lock_50": 0.03,
    "temporary_61": 0.035,
    "internal_60": 0.014,
    "gateway_99": 0.014,
    "gateway_99_charged": 0.02,
    "system_error": 0.014,
    "slow": 0.025,
    "empty": 0.014,
    "truncated": 0.014,
    "no_id": 0.014,
    "declined": 0.02,
    "declined_60": 0.02,
}
"""What Zuora answers."""
TOKEN: Final = {
    "token_401": 0.03,
    "token_429": 0.03,
    "token_500": 0.03,
    "token_drop": 0.03,
    "token_slow": 0.03,
}
"""What becomes of a token request."""

SCRIPTED: Final = {
    "401": "401",
    "403": "403",
    "503": "503",
    "lock_50": "success_false:53000050",
    "temporary_61": "success_false:53000061",
    "internal_60": "success_false:53000060",
    "gateway_99": "success_false:53000099",
    "system_error": "500",
    "empty": "empty",
    "truncated": "truncated",
    "no_id": "no_id",
    "declined": "declined",
    "declined_60": "declined_as_fault",
    "token_401": "401",
    "token_429": "429",
    "token_500": "500",
}
"""Faults that the emulator knows, in its words."""


def drawn(rng: random.Random, table: dict[str, float], *, factor: float) -> str:
    """Return one kind of a table, or nothing."""
    at = rng.random()
    for kind, probability in table.items():
        if at < probability * factor:
            return kind
        at -= probability * factor
    return ""


def scripted(rng: random.Random, kind: str) -> str | None:
    """Return the emulator's fault for a kind; None if it is none of the emulator's."""
    if kind == "429":
        return f"429:{rng.choice((1, 2, 5, 12, 40, 120))}"
    if kind == "slow":
        return f"slow:{rng.choice((1, 3, 8, 30, 70))}"
    if kind == "token_slow":
        return f"slow:{rng.choice((1, 4, 12))}"
    return SCRIPTED.get(kind)


def status_of(code: object) -> int:
    """Return the HTTP status of a reason code from API version 2024-05-20 on."""
    return STATUS_BY_CATEGORY.get(int(str(code)[-2:]), 400)
