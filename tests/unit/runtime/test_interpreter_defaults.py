"""How deeply JSON may be nested."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.runtime.interpreter_defaults import MAX_JSON_DEPTH, is_nested_deeper, read_json

_values = st.recursive(
    st.none() | st.booleans() | st.text('{}[]"\\a', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('{}[]"\\', max_size=3), inner, max_size=3),
    max_leaves=30,
)


def depth_of(value: object) -> int:
    """Return how many levels of objects and arrays a value has."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


class TestIsNestedDeeper:
    """Whether a document is nested more deeply than so many levels."""

    @given(_values, st.integers(1, 8))
    def test_counts_levels_and_no_brackets_within_texts(self, value: object, levels: int) -> None:
        """As a parser would."""
        document = json.dumps(value).encode()

        assert is_nested_deeper(document, levels=levels) == (depth_of(value) > levels)

    @pytest.mark.parametrize(
        ("opening", "closing", "levels_each"),
        [("[", "]", 1), ('{"a":', "}", 1), ('[{"a":', "}]", 2), ('["\\"[",', "]", 1)],
        ids=["arrays", "objects", "both", "after texts with brackets"],
    )
    @pytest.mark.parametrize("closed", [True, False])
    @pytest.mark.parametrize("count", [MAX_JSON_DEPTH // 2, MAX_JSON_DEPTH + 1, 5_000, 200_000])
    def test_decides_alike_in_every_interpreter(
        self, opening: str, closing: str, levels_each: int, count: int, *, closed: bool
    ) -> None:
        """Their parsers end at some thousand levels, each at another."""
        document = opening * count + ("1" + closing * count if closed else "")

        assert is_nested_deeper(document.encode()) == (count * levels_each > MAX_JSON_DEPTH)

    @given(st.binary(max_size=400))
    def test_takes_any_bytes(self, document: bytes) -> None:
        """Most of what is no JSON is not nested."""
        assert not is_nested_deeper(document, levels=400)


class TestReadJson:
    """JSON of others, read in UTF-8 and to a limited depth."""

    @given(_values)
    def test_reads_what_is_json(self, value: object) -> None:
        """With or without a byte order mark."""
        document = json.dumps(value, ensure_ascii=False).encode()

        assert value == read_json(document) == read_json(b"\xef\xbb\xbf" + document)

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32-le", "utf-32-be", "utf-32"])
    @pytest.mark.parametrize("text", ["{}", '["\u0122",' + "[" * 5_000, '["\u2222",' + "[" * 5_000 + "]" * 5_001])
    def test_refuses_other_encodings(self, encoding: str, text: str) -> None:
        """In them a part of a letter looks like a quote, after which brackets would not count."""
        with pytest.raises(ValueError, match=r"nested|decode|Expecting|Invalid"):
            read_json(text.encode(encoding))

    @given(st.binary(max_size=400))
    def test_raises_nothing_else(self, document: bytes) -> None:
        """Whatever the bytes are."""
        try:
            value = read_json(document)
        except ValueError:
            value = None

        assert depth_of(value) <= MAX_JSON_DEPTH
