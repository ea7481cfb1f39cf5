import pytest
from payorch_server.intents.intent import SENSITIVE, Fingerprint, differences

ONE = Fingerprint("k1", {"a": "1", "b": "2"}, "s")


class TestDifferences:
    """Two requests differ in paths, never in values."""

    @pytest.mark.parametrize(
        ("other", "expected", "reason"),
        [
            (Fingerprint("k1", {"b": "2", "a": "1"}, "s"), (), "equal in any order"),
            (Fingerprint("k1", {"a": "1", "b": "3"}, "s"), ("b",), "changed"),
            (Fingerprint("k1", {"a": "1"}, "s"), ("b",), "left out"),
            (Fingerprint("k1", {"a": "1", "b": "2", "c": "3"}, "s"), ("c",), "added"),
            (Fingerprint("k1", {"c": "1"}, "s"), ("a", "b", "c"), "sorted"),
            (Fingerprint("k1", {"a": "1", "b": "2"}, "t"), (SENSITIVE,), "a sensitive field, whichever it is"),
            (Fingerprint("k1", {"a": "2", "b": "2"}, "t"), (SENSITIVE, "a"), "both"),
        ],
    )
    def test_names_paths(self, other: Fingerprint, expected: tuple[str, ...], reason: str) -> None:
        """The same from both sides."""
        assert differences(ONE, other) == differences(other, ONE) == expected, reason
