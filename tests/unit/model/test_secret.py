import copy
import pickle
from dataclasses import asdict, dataclass

import pytest
from payorch_server.model.secret import REDACTED, Secret, reveal  # noqa: TID251 - the door is the subject

CANARY = "canary-4111111111111111"


@dataclass(frozen=True)
class Holder:
    """Something that a log line might print."""

    secret: Secret[str]


class TestSecret:
    """A secret comes out by `reveal` and by nothing else."""

    @pytest.mark.parametrize(
        ("render", "reason"),
        [
            (str, "print and str.join"),
            (repr, "tracebacks and dataclasses"),
            (ascii, "escaped logs"),
            (lambda secret: f"{secret}", "f-strings"),
            (lambda secret: f"{secret:>40}", "f-strings with a format"),
            (lambda secret: f"{secret!r}", "f-strings with repr"),
            (lambda secret: "%s" % secret, "printf style"),  # noqa: UP031 - the style is the subject
            (lambda secret: repr([secret, {"key": secret}]), "inside containers"),
            (lambda secret: repr(Holder(secret)), "inside dataclasses"),
            (lambda secret: str(ValueError(secret)), "inside exceptions"),
        ],
    )
    def test_is_rendered_as_a_constant(self, render: object, reason: str) -> None:
        """No way of rendering shows the value."""
        text = render(Secret(CANARY))

        assert CANARY not in text, reason

    def test_is_revealed_by_its_one_door(self) -> None:
        """The wire gets the value itself."""
        assert reveal(Secret(CANARY)) == CANARY

    @pytest.mark.parametrize(
        ("leave", "reason"),
        [
            (pickle.dumps, "another process"),
            (copy.copy, "a shallow copy"),
            (copy.deepcopy, "a deep copy"),
            (lambda secret: asdict(Holder(secret)), "a dataclass turned into a dict"),
        ],
    )
    def test_cannot_be_copied_away(self, leave: object, reason: str) -> None:
        """What serialises by itself is refused, without naming the value."""
        with pytest.raises(TypeError) as caught:
            leave(Secret(CANARY))

        assert CANARY not in str(caught.value), reason

    def test_has_no_dictionary_of_attributes(self) -> None:
        """Nothing that walks attributes finds it."""
        assert not hasattr(Secret(CANARY), "__dict__")

    def test_equals_another_of_the_same_value(self) -> None:
        """Credentials that hold one are keys of a cache."""
        same, other = Secret(CANARY), Secret("other")

        assert (Secret(CANARY) == same, hash(Secret(CANARY)) == hash(same)) == (True, True)
        assert Secret(CANARY) != other
        assert Secret(CANARY) != CANARY

    def test_shows_what_it_shows(self) -> None:
        """The constant is part of the contract: UpstreamRequest.body names it."""
        assert (str(Secret(CANARY)), repr(Secret(CANARY)), REDACTED) == (
            "[redacted]",
            "Secret([redacted])",
            "[redacted]",
        )
