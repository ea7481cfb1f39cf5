"""The ids of Zuora's answers to an intent, as its record keeps them: keyed hashes that can only be compared.

An answer may hold any text where an id belongs, so what Zuora sent is compared and never stored.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Final

from payorch_server.intents.intent_record import append_recent
from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - ids are hashed here
from payorch_server.store.keyring import PSEUDONYM_PREFIX, Keyring

_PURPOSE: Final = "answer id"


@dataclass(frozen=True, slots=True)
class AnswerIds(Container[Secret[str]]):
    """The recorded ids of an intent; contains an id, as Zuora sends it, that an earlier answer had."""

    recorded: tuple[str, ...]
    """Hashes; records of earlier versions have the ids themselves."""
    keyring: Keyring
    """A hash under a key that it no longer has equals nothing."""

    def __contains__(self, answer_id: object) -> bool:
        """Return whether an earlier answer had the id."""
        if not isinstance(answer_id, Secret):
            return False
        text = reveal(answer_id)
        names = self.keyring.pseudonyms(text, purpose=_PURPOSE)
        is_hash = text.startswith(PSEUDONYM_PREFIX)
        return any(name in self.recorded for name in names) or (text in self.recorded and not is_hash)

    def with_more(self, answer_ids: Iterable[Secret[str]]) -> tuple[str, ...]:
        """Return what the record keeps once these ids are known too."""
        hashes = (self.keyring.pseudonyms(reveal(answer_id), purpose=_PURPOSE)[0] for answer_id in answer_ids)
        return append_recent(self.recorded, *hashes)
