"""Apple Pay tokens as the emulator opens them: CMS, its certificates and signature, and what was sealed."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness.apple_tokens import mint, reopen
from zuora_emulator.apple_pay import TokenRefused

from fuzz.hard_json import hard_json
from fuzz.target import Target, require

_TOKEN: Final[Mapping[str, Any]] = mint(application_data=b"order 17")
_MEMBERS: Final = ("data", "signature")
_HEADER: Final = ("ephemeralPublicKey", "publicKeyHash")


def run(data: bytes) -> None:
    """Open a token.

    The first byte says what follows: the whole token, or the bytes of one member. Whatever is accepted has the signed
    members of a token that the emulator made.
    """
    token = _token(data[0] % 6 if data else 0, data[1:])
    if not isinstance(token, dict):
        return
    try:
        payment = reopen(token)
    except TokenRefused as refused:
        require(refused.reason, "a refusal has a reason")
        return
    require(_signed(token) in _MADE, "what was signed is what was made")
    require(payment.amount_minor == 1999, "so is its content")


def _token(part: int, content: bytes) -> Any:
    if part == 0:
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            return None
    if part <= len(_MEMBERS):
        return {**_TOKEN, _MEMBERS[part - 1]: base64.b64encode(content).decode()}
    if part <= len(_MEMBERS) + len(_HEADER):
        changed = {_HEADER[part - len(_MEMBERS) - 1]: base64.b64encode(content).decode()}
    else:
        changed = {"transactionId": content[:32].hex(), "applicationData": content[32:].hex()}
    return {**_TOKEN, "header": {**_TOKEN["header"], **changed}}


def _signed(token: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what Apple's signature covers. Source: Apple, "Payment token format reference"."""
    header = token["header"]
    return (
        base64.b64decode(header["ephemeralPublicKey"]),
        base64.b64decode(token["data"]),
        header["transactionId"].lower(),
        (header.get("applicationData") or "").lower(),
    )


_OTHER: Final[Mapping[str, Any]] = mint(name="other")
_MADE: Final = (_signed(_TOKEN), _signed(_OTHER))


def _seeds() -> Iterator[bytes]:
    yield b"\0" + json.dumps(_TOKEN).encode()
    yield b"\0" + json.dumps(_OTHER).encode()
    for part, name in enumerate(_MEMBERS, start=1):
        yield bytes([part]) + base64.b64decode(_TOKEN[name])
    for part, name in enumerate(_HEADER, start=len(_MEMBERS) + 1):
        yield bytes([part]) + base64.b64decode(_TOKEN["header"][name])
    header = _TOKEN["header"]
    yield b"\5" + bytes.fromhex(header["transactionId"]) + bytes.fromhex(header["applicationData"])
    # BER: lengths that are not the shortest, or that have no end.
    signature = base64.b64decode(_TOKEN["signature"])
    yield b"\2\x30\x80" + signature[4:] + b"\0\0"
    yield b"\2\x30\x85\x00" + len(signature).to_bytes(4, "big") + signature[4:]
    yield b"\2" + b"\x30\x80" * 2000
    yield from (b"\0" + text for text in hard_json())


TARGET = Target("emulator_token", run, _seeds, covers=(), max_bytes=8192, has_secrets=False)
