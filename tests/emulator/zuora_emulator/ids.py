"""Identifiers in the shapes Zuora's samples have, from the injected source of randomness."""

import random
import string
import uuid


class Ids:
    """Makes ids; the same seed makes the same ids."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def object_id(self) -> str:
        """32 hex digits: payment methods, payments, access tokens."""
        return f"{self.rng.getrandbits(128):032x}"

    def request_id(self) -> str:
        """36 characters: `Zuora-Request-Id`, `jti`."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def process_id(self) -> str:
        """16 hex digits in capitals."""
        return f"{self.rng.getrandbits(64):016X}"

    def session_token(self) -> str:
        """32 letters and digits."""
        return "".join(self.rng.choices(string.ascii_letters + string.digits, k=32))

    def entropy(self, size: int) -> bytes:
        """That many bytes: Apple Pay tokens that are minted over the control endpoint."""
        return self.rng.randbytes(size)
