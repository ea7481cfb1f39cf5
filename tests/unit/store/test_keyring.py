import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.model.secret import Secret
from payorch_server.store.keyring import Keyring, SealBroken

OLD, NEW = ("k1", Secret(b"1" * 32)), ("k2", Secret(b"2" * 32))


def ring(*keys: tuple[str, Secret[bytes]]) -> Keyring:
    """Make a keyring."""
    return Keyring(keys, entropy=os.urandom)


class TestKeyedHash:
    """Nobody without the key can compute or compare it."""

    def test_is_the_same_in_every_replica(self) -> None:
        """Frozen: records of other replicas and versions must stay comparable."""
        expected = "04a0cfef12dd6e81042620ef7cee0050574bba6c289ad019fe9868e78e7790ab"

        assert ring(OLD).keyed_hash("k1", b"value").hex() == expected
        assert ring(NEW, OLD).keyed_hash("k1", b"value").hex() == expected

    def test_depends_on_the_key(self) -> None:
        """Under another one it is another value."""
        both = ring(NEW, OLD)

        assert both.keyed_hash("k1", b"value") != both.keyed_hash("k2", b"value")


class TestSeal:
    """Results rest in the store as noise."""

    @given(st.binary(max_size=200), st.text(max_size=50))
    def test_round_trip(self, value: bytes, purpose: str) -> None:
        """What is sealed with the key in use can be unsealed by the one before it, and shows nothing."""
        key_id, sealed = ring(OLD).seal(value, purpose=purpose)

        assert key_id == "k1"
        assert ring(NEW, OLD).unseal(key_id, sealed, purpose=purpose) == value
        assert len(value) < 8 or value not in sealed

    def test_uses_the_first_key(self) -> None:
        """The one before it is only understood."""
        key_id, _ = ring(NEW, OLD).seal(b"value", purpose="p")

        assert key_id == "k2"

    def test_never_repeats(self) -> None:
        """Equal results do not look equal."""
        one = ring(OLD)

        assert one.seal(b"value", purpose="p") != one.seal(b"value", purpose="p")

    @pytest.mark.parametrize("reason", ["key gone", "other key", "other purpose", "changed", "cut", "empty"])
    def test_breaks(self, reason: str) -> None:
        """An error of ours, whatever was done to it."""
        key_id, sealed = ring(OLD).seal(b"value", purpose="intent-1")
        changed = bytes([sealed[0] ^ 1]) + sealed[1:]
        keys, value, purpose = {
            "key gone": (ring(NEW), sealed, "intent-1"),
            "other key": (ring(("k1", NEW[1])), sealed, "intent-1"),
            "other purpose": (ring(OLD), sealed, "intent-2"),
            "changed": (ring(OLD), changed, "intent-1"),
            "cut": (ring(OLD), sealed[:-1], "intent-1"),
            "empty": (ring(OLD), b"", "intent-1"),
        }[reason]

        with pytest.raises(SealBroken):
            keys.unseal(key_id, value, purpose=purpose)


class TestRepr:
    """A log line shows ids and nothing else."""

    def test_shows_ids_alone(self) -> None:
        """In their order."""
        assert repr(ring(NEW, OLD)) == "Keyring(k2, k1)"
