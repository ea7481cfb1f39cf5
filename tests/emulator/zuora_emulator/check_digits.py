"""What numbers say of themselves: the check digits of cards (Luhn) and of IBANs (ISO 13616), and a card's brand."""

import re

_LUHN_BASE = 10
_IBAN_MODULUS = 97
_IBAN = re.compile("[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")


def is_card_number(text: str) -> bool:
    """Whether the text is 12 to 19 digits that end in their Luhn digit."""
    if not re.fullmatch("[0-9]{12,19}", text):
        return False
    digits = [int(digit) for digit in reversed(text)]
    doubled = [sum(divmod(2 * digit, _LUHN_BASE)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % _LUHN_BASE == 0


_BRANDS = (
    ("american_express", ("34", "37")),
    ("diners", ("30", "36", "38")),
    ("jcb", ("35",)),
    ("mastercard", ("2", "5")),
    ("discover", ("6",)),
)


def brand_of(card_number: str) -> str:
    """Return Quickstart's word for the brand of a card number; `visa` where the beginning says nothing else."""
    return next((brand for brand, beginnings in _BRANDS if card_number.startswith(beginnings)), "visa")


def is_iban(text: str) -> bool:
    """Whether the text, spaces aside, is an IBAN with right check digits."""
    packed = text.replace(" ", "").upper()
    if not _IBAN.fullmatch(packed):
        return False
    rearranged = packed[4:] + packed[:4]
    return int("".join(str(int(character, 36)) for character in rearranged)) % _IBAN_MODULUS == 1
