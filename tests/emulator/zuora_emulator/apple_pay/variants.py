"""The kinds of right tokens that devices make, by name; several may be combined."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Variant:
    """One way in which a right token may differ from the usual one.

    Attributes:
        meaning: In a few words.
        arguments: For `mint_token`.
    """

    meaning: str
    arguments: Mapping[str, Any]


VARIANTS: Mapping[str, Variant] = {
    "rsa": Variant("version RSA_v1, which is for China: a wrapped key, an RSA signature", {"rsa_version": True}),
    "emv": Variant("EMV payment data in place of a 3-D Secure cryptogram", {"payment_data_type": "EMV"}),
    "der": Variant("a signature with definite lengths; devices write indefinite ones", {"ber": False}),
    "second_key": Variant("for the second of the merchant's processing certificates", {"key_index": 1}),
    "leading_zero_secret": Variant(
        "an ECDH secret that begins with a zero byte, as one in 256 does", {"leading_zero_secret": True}
    ),
}
"""Every variant by name."""


class VariantError(ValueError):
    """There is no such variant, or two exclude each other; the message is a sentence."""


def variant_arguments(names: Iterable[str]) -> dict[str, Any]:
    """Return the arguments for `mint_token` that make a token of all these variants.

    Raises:
        VariantError: A name is none of `VARIANTS`, or the variants exclude each other.
    """
    arguments: dict[str, Any] = {}
    for name in names:
        if name not in VARIANTS:
            raise VariantError(f"{name!r} is no variant; there are {', '.join(VARIANTS)}.")
        arguments |= VARIANTS[name].arguments
    if arguments.keys() >= {"rsa_version", "leading_zero_secret"}:
        raise VariantError("A token of version RSA_v1 has no ECDH secret, so rsa excludes leading_zero_secret.")
    return arguments
