"""Exact amounts, and Apple Pay tokens as browsers hand them over."""

import contextlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from google.type.money_pb2 import Money

_NANOS: Final = 9
_MOST_UNITS: Final = 2**63 - 1
_MOST_DIGITS: Final = 18
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_PLAIN: Final = re.compile(r"[+\-.0-9A-Za-z]*")


def money(amount: Decimal | int | str, currency: str) -> Money:
    """Return an amount as the contract takes it, exactly.

    Args:
        amount: At most nine decimals. No float: 0.1 is not a tenth in one.
        currency: ISO 4217 code, such as USD.

    Raises:
        TypeError: It is a float, or nothing of these.
        ValueError: It is no finite number, has more decimals or more digits than fit, or the currency is no code.

    >>> money("100.10", "USD").nanos
    100000000
    >>> money("0.1234567891", "USD")
    Traceback (most recent call last):
    ValueError: amount: 0.1234567891 has more than 9 decimals
    """
    if isinstance(amount, float):
        raise TypeError("amount: a float is not exact; pass a Decimal, an int or a text")
    if not isinstance(amount, Decimal | int | str):
        raise TypeError(f"amount: a Decimal, an int or a text is needed, not a {type(amount).__name__}")
    if not _CURRENCY.fullmatch(currency):
        raise ValueError(f"currency: {currency!r} is not three capital letters, such as USD")
    try:
        # Decimal also reads 1_0, digits of other scripts and blanks around a number.
        exact = Decimal("?" if isinstance(amount, str) and not _PLAIN.fullmatch(amount) else amount)
    except InvalidOperation:
        raise ValueError(f"amount: {amount} is not a number") from None
    if not exact.is_finite():
        raise ValueError(f"amount: {amount} is not a finite number")
    if exact.adjusted() > _MOST_DIGITS:  # before anything is computed that would be as long
        raise ValueError(f"amount: {amount} has more digits than fit")
    sign, digits, exponent = exact.as_tuple()
    text, shift = "".join(map(str, digits)), int(exponent) + _NANOS
    if shift < 0 and text[shift:].strip("0"):
        raise ValueError(f"amount: {amount} has more than {_NANOS} decimals")
    scaled = int((text[:shift] or "0") if shift < 0 else text + "0" * shift)
    units, nanos = divmod(scaled, 10**_NANOS)
    if units > _MOST_UNITS:
        raise ValueError(f"amount: {amount} has more digits than fit")
    factor = -1 if sign else 1
    return Money(currency_code=currency, units=factor * units, nanos=factor * nanos)


def decimal_of(amount: Money) -> Decimal:
    """Return an amount exactly, without needless zeros after the point.

    >>> decimal_of(money("12.50", "USD"))
    Decimal('12.5')
    """
    scaled = amount.units * 10**_NANOS + amount.nanos
    units, nanos = divmod(abs(scaled), 10**_NANOS)
    # Made of text, because arithmetic rounds to the precision of the context.
    return Decimal(f"{'-' if scaled < 0 else ''}{units}.{nanos:0{_NANOS}}".rstrip("0").rstrip("."))


def apple_pay_token(token: str | bytes | Mapping[str, Any]) -> bytes:
    """Return what `DecryptApplePayRequest.token_json` takes.

    Args:
        token: What the browser's `onpaymentauthorized` gave: `event.payment.token` or its `paymentData` as the
            JSON text that came from the browser, passed on as it is; or one of them, or `event.payment`, as a mapping.

    Raises:
        ValueError: It is not a JSON object, or a text of `event.payment` instead of its token.

    >>> apple_pay_token('{"data": "...", "version": "EC_v1"}')
    b'{"data": "...", "version": "EC_v1"}'
    """
    if isinstance(token, Mapping):
        return json.dumps(token.get("token", token), separators=(",", ":"), allow_nan=False).encode()
    content, raw = _read(token)
    if not isinstance(content, dict):
        raise ValueError("token: it is not a JSON object")  # noqa: TRY004 - the type of the argument is right
    if "token" in content:
        raise ValueError("token: this is the whole payment; pass its member `token`")
    return raw


def _read(token: str | bytes) -> tuple[Any, bytes]:
    """Return the token read, and as bytes.

    Raises:
        ValueError: It is not JSON, or nested too deeply. Not raised while another exception is handled, because those
            of the parsers hold the token.
    """
    with contextlib.suppress(ValueError, RecursionError):
        raw = token.encode() if isinstance(token, str) else token
        return json.loads(raw), raw
    raise ValueError("token: it is not JSON")
