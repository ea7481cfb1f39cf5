from payorch_server.model.secret import Secret
from payorch_server.store.keyring import Keyring

KEYRING = Keyring((("test", Secret(b"k" * 32)),), entropy=bytes)
"""A keyring whose key is known, and whose nonces are all zero."""
