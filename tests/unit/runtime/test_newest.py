"""A map that keeps its newest entries."""

from hypothesis import given
from hypothesis import strategies as st
from payorch_server.runtime.newest import Newest

KEYS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers()))


class TestNewest:
    """Newest."""

    @given(entries=KEYS, size=st.integers(1, 5))
    def test_keeps_the_newest_entry_of_the_newest_keys(self, entries: list[tuple[str, int]], size: int) -> None:
        """A key that comes again counts from then on."""
        newest: Newest[int] = Newest(size)
        for key, value in entries:
            newest.add(key, value)

        values, last_at = dict(entries), {key: place for place, (key, _) in enumerate(entries)}
        kept = sorted(values, key=lambda key: last_at[key])[-size:]

        assert {key: newest.get(key) for key in "abcdefgh"} == {
            key: values[key] if key in kept else None for key in "abcdefgh"
        }

    def test_forgets_what_is_removed(self) -> None:
        """An unknown key is no error."""
        newest: Newest[int] = Newest(2)
        newest.add("a", 1)
        newest.remove("a")
        newest.remove("b")

        assert newest.get("a") is None
