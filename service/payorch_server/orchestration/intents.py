"""One intent, one idempotency key, for ever."""

import hashlib
from typing import Final

from payorch_server.model.identifiers import IdempotencyKey, RequestId

_PREFIX: Final = "po1-"
_HEX_DIGITS: Final = 40


def idempotency_key(*, namespace: str, rpc: str, request_id: RequestId) -> IdempotencyKey:
    """Return the key under which Zuora executes an intent once.

    Every replica, version and restart must compute the same, so nothing else goes into it: no secret, tenant, URL,
    gateway or counter. Each part is preceded by its length in bytes, four bytes long, most significant first.

    Args:
        namespace: Whose intent it is.
        rpc: Name of the RPC, such as `CreateSession`.
        request_id: The caller's name for the intent.

    Returns:
        `po1-` and the first 40 hexadecimal digits of a SHA-256; 44 characters of Zuora's 255.
    """
    digest = hashlib.sha256()
    for part in (namespace, rpc, request_id):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return IdempotencyKey(_PREFIX + digest.hexdigest()[:_HEX_DIGITS])
