"""The payment data of a token of type EMV: what a chip would answer, as BER-TLV.

    {"emvData": base64 of TLV, "encryptedPINData": hex}

Source: Apple, "Payment token format reference"; tags of EMV Book 3, Annex A; both read 2026-11-26.
"""

import base64

_LENGTH_BYTES = 1


def emv_payment_data(*, amount_minor: int, currency_numeric: str, secret: bytes) -> dict[str, str]:
    """Return the payment data.

    Args:
        amount_minor: In minor units, at most twelve digits are shown.
        currency_numeric: ISO 4217 numeric code, three digits.
        secret: 20 bytes that cryptogram, unpredictable number and PIN block are taken from.
    """
    fields = (
        ("9f26", secret[:8]),  # application cryptogram
        ("9f27", b"\x80"),  # cryptogram information: ARQC
        ("9f10", bytes.fromhex("07010103a00000")),  # issuer application data
        ("9f37", secret[8:12]),  # unpredictable number
        ("9f36", secret[12:14]),  # application transaction counter
        ("95", bytes(5)),  # terminal verification results
        ("9c", b"\x00"),  # transaction type: purchase
        ("9f02", bytes.fromhex(f"{amount_minor % 10**12:012d}")),  # amount authorised
        ("5f2a", bytes.fromhex(f"{currency_numeric:0>4}")),  # currency
        ("82", bytes.fromhex("0040")),  # application interchange profile
    )
    encoded = b"".join(bytes.fromhex(tag) + len(value).to_bytes(_LENGTH_BYTES) + value for tag, value in fields)
    return {"emvData": base64.b64encode(encoded).decode(), "encryptedPINData": secret[12:].hex()}
