"""Apple's half of Apple Pay, for tests: a test certificate authority, token minting, and token opening.

Nothing here is Apple's: every key is derived from a published label, and a real device's token is refused.
"""

from zuora_emulator.apple_pay.authority import AppleAuthority, Merchant, ProcessingKey, SigningChain
from zuora_emulator.apple_pay.decrypt import ClearPayment, open_token
from zuora_emulator.apple_pay.defects import DEFECTS, spoiled_token
from zuora_emulator.apple_pay.mint import Spoiling, mint_token, wrap_token
from zuora_emulator.apple_pay.refusal import RefusalReason, TokenRefused
from zuora_emulator.apple_pay.variants import VARIANTS, VariantError, variant_arguments

__all__ = [
    "DEFECTS",
    "VARIANTS",
    "AppleAuthority",
    "ClearPayment",
    "Merchant",
    "ProcessingKey",
    "RefusalReason",
    "SigningChain",
    "Spoiling",
    "TokenRefused",
    "VariantError",
    "mint_token",
    "open_token",
    "spoiled_token",
    "variant_arguments",
    "wrap_token",
]
