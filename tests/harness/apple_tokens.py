"""Apple Pay tokens minted at a fixed moment, and short functions that open them."""

import base64
import hashlib
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from zuora_emulator.apple_pay import (
    AppleAuthority,
    ClearPayment,
    RefusalReason,
    TokenRefused,
    mint_token,
    open_token,
)

NOW = datetime(2026, 11, 20, 12, 0, 0, 750_000, tzinfo=UTC)
MERCHANT = "merchant.example.payorch"
OTHER_MERCHANT = "merchant.example.other"
ACCOUNT_NUMBER = "4111111111111111"


def stream(name: str) -> Callable[[int], bytes]:
    """Return an endless source of reproducible bytes."""
    counter = itertools.count()
    return lambda size: hashlib.shake_256(f"{name}/{next(counter)}".encode()).digest(size)


def mint(*, name: str = "token", merchant_id: str = MERCHANT, **changes: Any) -> dict[str, Any]:
    return mint_token(
        authority=AppleAuthority.published(),
        merchant_id=merchant_id,
        amount_minor=1999,
        currency_numeric="978",
        now=NOW,
        entropy=stream(name),
        **changes,
    )


def reopen(token: Any, *, now: datetime = NOW, merchant_id: str = MERCHANT) -> ClearPayment:
    return open_token(authority=AppleAuthority.published(), merchant_id=merchant_id, token=token, now=now)


def refusal(token: Any, **circumstances: Any) -> RefusalReason:
    with pytest.raises(TokenRefused) as caught:
        reopen(token, **circumstances)
    return caught.value.reason


def decoded(token: dict[str, Any], member: str) -> bytes:
    return base64.b64decode(token[member] if member in token else token["header"][member])


def published_chain(**faults: bool) -> Any:
    return AppleAuthority.published().signing_chain(now=NOW, **faults)


def foreign_chain(**what: bool) -> Any:
    return AppleAuthority.derived(label="foreign").signing_chain(now=NOW, **what)
