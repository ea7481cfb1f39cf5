"""What names a request that the hub cannot use: a wrong name would let a charged payment end in Error."""

import json
from typing import Any

import pytest
from harness.upc_bodies import Pairs, Verbatim, body, doubled, example, full, paths, replaced, without
from hypothesis import given, settings
from hypothesis import strategies as st
from payorch_server.upc.hub_decode import decode, names_in
from payorch_server.upc.request import Defect, HubRequest, Operation, RequestName, UnusableRequest

OPERATIONS = ["Validate", "Payment", "Refund"]
PAYMENT = RequestName("12368", Operation.PAYMENT, "4028818579a43c3f0179aba917410419")
REFUND = RequestName("12368", Operation.REFUND, "4028818579a43c3f0179aba6ebfb040d")
NAMES: dict[str, tuple[RequestName, ...]] = {"Validate": (), "Payment": (PAYMENT,), "Refund": (REFUND,)}
BOTH = example("Payment") | {"refund": example("Refund")["refund"]}
PATHS = [(operation, path) for operation in OPERATIONS for path in paths(full(operation))]
ILLEGIBLE = [None, "", 7, True, [], {}, "x" * 101, Verbatim('"\\u0000"'), Verbatim('"\\ud800"'), Verbatim('"\\udc00x"')]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
# What the names are read from; damage to a value itself cannot be seen.
NAMING = [PAYMENT.id, REFUND.id, "12368", "Validate", "Payment", "Refund"]


def refused(members: Any) -> UnusableRequest:
    """Return what is read of a request that cannot be used."""
    found = decode(body(members))
    assert isinstance(found, UnusableRequest), found
    return found


def names_of(text: bytes) -> set[RequestName]:
    """Return all names under which a body would be looked for or recorded."""
    found = decode(text)
    if isinstance(found, HubRequest):
        return {found.name} if found.name else set()
    return set(found.names)


def joined(item: object) -> str:
    """Name a path for a test report."""
    return ".".join(item) if isinstance(item, tuple) else str(item)[:20]


class TestNames:
    """UnusableRequest.names."""

    @pytest.mark.parametrize(("operation", "path"), PATHS, ids=joined)
    def test_are_complete_whatever_else_is_missing(self, operation: str, path: tuple[str, ...]) -> None:
        """Only what they are made of is needed."""
        members = replaced(without(full(operation), path), ("paymentGatewayName",), 7)
        needed = {("tenantId",), ("operation",), (operation.lower(),), (operation.lower(), "id")}

        found = refused(members)

        assert found.is_validation is (operation == "Validate" and path != ("operation",))
        assert path in needed or found.names == NAMES[operation]

    @pytest.mark.parametrize("value", ILLEGIBLE, ids=joined)
    @pytest.mark.parametrize("path", [("tenantId",), ("payment", "id"), ("payment",)], ids=joined)
    def test_are_none_where_a_part_is_illegible(self, path: tuple[str, ...], value: object) -> None:
        """Half a name is the name of something else."""
        assert refused(replaced(example("Payment"), path, value)).names == ()

    @pytest.mark.parametrize("value", [*ILLEGIBLE, "payment", "Capture"], ids=joined)
    def test_are_all_that_are_possible_where_the_operation_is_unknown(self, value: object) -> None:
        """It may be a send of each of them."""
        found = refused(replaced(BOTH, ("operation",), value))

        assert (found.names, found.is_validation) == ((PAYMENT, REFUND), False)
        assert found.member in {"operation", ""}

    @pytest.mark.parametrize(("operation", "names"), [("Payment", (PAYMENT,)), ("Refund", (REFUND,))])
    def test_are_of_the_operation_alone_where_it_is_known(self, operation: str, names: tuple[RequestName, ...]) -> None:
        """The id of another member is none of this request."""
        assert refused(replaced(BOTH, ("operation",), operation) | {"paymentMethod": 7}).names == names

    @pytest.mark.parametrize("first", [False, True])
    @pytest.mark.parametrize(
        ("path", "value", "is_legible"),
        [
            (("tenantId",), "12368", True), (("tenantId",), "12369", False), (("tenantId",), None, False),
            (("payment", "id"), PAYMENT.id, True), (("payment", "id"), REFUND.id, False),
            (("payment", "id"), 7, False), (("payment",), {"id": PAYMENT.id}, True),
            (("payment",), {"id": REFUND.id}, False), (("payment",), 7, False),
            (("operation",), "Refund", True), (("operation",), "Validate", True), (("operation",), "Payment", True),
        ],
        ids=joined,
    )  # fmt: skip
    def test_are_none_where_a_part_occurs_with_two_values(
        self, path: tuple[str, ...], value: object, *, is_legible: bool, first: bool
    ) -> None:
        """Readers differ in which of the two they believe."""
        found = refused(doubled(example("Payment"), path, value, first=first))

        assert found.defect is Defect.MEMBER_TWICE
        assert (found.names, found.is_validation) == ((PAYMENT,) if is_legible else (), False)

    @pytest.mark.parametrize(("again", "is_certain"), [("Validate", True), ("Payment", False), (None, False)])
    def test_leave_out_a_validation_only_if_it_is_certain(self, again: str | None, *, is_certain: bool) -> None:
        """What may be a payment moves money."""
        found = refused(doubled(example("Validate"), ("operation",), again))

        assert (found.names, found.is_validation) == ((), is_certain)

    @pytest.mark.parametrize("text", [Verbatim('"\\ud800"'), Verbatim('"a\\udc00\\ud800"')])
    def test_are_read_beside_half_a_character(self, text: Verbatim) -> None:
        """Half a pair of surrogates refuses the request wherever it stands, and hides no id."""
        found = refused(replaced(example("Payment"), ("level3",), text))

        assert (found.defect, found.names) == (Defect.MEMBER_INVALID, (PAYMENT,))

    @pytest.mark.parametrize(
        "text", [Verbatim('"\\ud83d\\ude00"'), Verbatim('"\\\\ud800"'), Verbatim('"\\\\\\\\udc00"')]
    )
    def test_take_no_whole_character_for_half_a_one(self, text: Verbatim) -> None:
        """A pair is a character, and after a backslash the letters are letters."""
        found = decode(body(replaced(example("Payment"), ("paymentMethod", "upcTokenData"), {"Field": text})))

        assert isinstance(found, HubRequest), found


class TestNamesIn:
    """names_in."""

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_reads_the_names_alone(self, operation: str) -> None:
        """The caller is refused, so nothing else of its body is kept."""
        found = names_in(body(example(operation)))

        assert found == UnusableRequest(Defect.NOT_READ, "", NAMES[operation], operation == "Validate")

    @settings(deadline=None)
    @given(members=st.binary(max_size=60) | ANY_JSON.map(body))
    def test_never_raises(self, members: bytes) -> None:
        """Not for anything that can be sent."""
        assert names_in(members).names == ()


class TestAnything:
    """Any bytes at all."""

    @settings(deadline=None)
    @given(text=st.binary(max_size=300) | st.binary(max_size=60).map(lambda inner: b'{"operation": ' + inner + b"}"))
    def test_never_raise(self, text: bytes) -> None:
        """Nor do they become a request by chance."""
        assert isinstance(decode(text), UnusableRequest)

    @settings(deadline=None)
    @given(value=ANY_JSON)
    def test_never_raise_as_json(self, value: object) -> None:
        """Whatever a body is, it is not a request by chance."""
        assert isinstance(decode(json.dumps(value).encode()), UnusableRequest)

    @pytest.mark.parametrize("operation", OPERATIONS)
    @settings(deadline=None)
    @given(data=st.data(), value=ANY_JSON)
    def test_never_raise_in_place_of_a_member(self, operation: str, data: st.DataObject, value: object) -> None:
        """Each member may hold anything."""
        path = data.draw(st.sampled_from([path for known, path in PATHS if known == operation]))

        found = decode(json.dumps(replaced(full(operation), path, value)).encode())

        assert isinstance(found, HubRequest | UnusableRequest)

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_have_no_name_where_they_are_cut(self, operation: str) -> None:
        """At every length: the rest may say something else."""
        text = body(full(operation))
        prefixes = [text[:length] for length in range(len(text))]

        assert {decode(prefix) for prefix in prefixes} == {UnusableRequest(Defect.NOT_JSON)}

    @pytest.mark.parametrize("operation", OPERATIONS)
    @settings(deadline=None)
    @given(data=st.data())
    def test_have_no_wrong_name_where_they_are_damaged(self, operation: str, data: st.DataObject) -> None:
        """Damage anywhere but in the ids themselves takes a name away or leaves it."""
        text = body(full(operation))
        naming = {
            at
            for value in NAMING
            for start in range(len(text))
            if text.startswith(f'"{value}"'.encode(), start)
            for at in range(start + 1, start + 1 + len(value))
        }
        begin = data.draw(st.sampled_from(sorted(set(range(len(text))) - naming)))
        end = begin + data.draw(st.integers(0, 2))
        inserted = data.draw(
            st.binary(max_size=2) | st.sampled_from([b'"', b"\\", b"{", b"}", b",", b":", b"[", b"\\u"])
        )
        # What is inserted before the closing quote becomes a part of the id.
        is_at_the_end_of_an_id = begin - 1 in naming and begin not in naming
        if naming & set(range(begin, end)) or (inserted and is_at_the_end_of_an_id):
            return

        assert names_of(text[:begin] + inserted + text[end:]) <= set(NAMES[operation])


class TestBounds:
    """What is read of one body is bounded."""

    @pytest.mark.parametrize(("more", "defect"), [(0, Defect.MEMBER_MISSING), (1, Defect.TOO_LARGE)])
    def test_are_of_1_mib(self, more: int, defect: Defect) -> None:
        """The largest one is read."""
        text = b'{"tenantId": "12368"}'

        assert decode(text + b" " * (1024 * 1024 - len(text) + more)).defect is defect  # type: ignore[union-attr] # it is none

    @pytest.mark.parametrize("kind", ["array", "object", "mixed"])
    @pytest.mark.parametrize("noise", ["", "[{" * 40, '\\"]}', "\\\\"])
    @pytest.mark.parametrize(("depth", "defect"), [(15, None), (16, Defect.TOO_DEEP), (5_000, Defect.TOO_DEEP)])
    def test_are_of_16_levels(self, kind: str, noise: str, depth: int, defect: Defect | None) -> None:
        """The body itself is the first one; brackets within texts are none."""
        opening = {"array": ["[", "["], "object": ['{"a":', '{"a":'], "mixed": ["[", '{"a":']}[kind]
        parts = [opening[level % 2] for level in range(depth)]
        closing = "".join("]" if part == "[" else "}" for part in reversed(parts))
        text = Verbatim("".join(parts) + f'"{noise}"' + closing)

        found = decode(body(replaced(example("Payment"), ("level3",), text)))

        assert (found.defect if isinstance(found, UnusableRequest) else None) is defect

    @pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 15_000, b"[" * 100_000 + b"]" * 100_000], ids=len)
    def test_are_kept_where_nothing_else_is_right(self, text: bytes) -> None:
        """No recursion is begun."""
        assert decode(text) == UnusableRequest(Defect.TOO_DEEP)

    @pytest.mark.parametrize(
        "text", [b"{" * 16 + b"}", b'{"a":[}' + b"]" * 20, b"}{" * 20, b'{"a":' + b"[]," * 20], ids=len
    )
    def test_are_not_what_is_wrong_with_brackets_that_do_not_match(self, text: bytes) -> None:
        """Such a body is no JSON."""
        assert decode(text) == UnusableRequest(Defect.NOT_JSON)

    @pytest.mark.parametrize(("count", "is_refused"), [(19_000, False), (20_001, True)])
    def test_are_of_20000_texts(self, count: int, *, is_refused: bool) -> None:
        """A million tiny ones would stop the hub for a second."""
        members = Pairs([*example("Payment").items(), ("level3", [""] * count)])

        found = decode(body(members))

        assert (found == UnusableRequest(Defect.TOO_MANY_TEXTS)) is is_refused

    @pytest.mark.parametrize(
        "text",
        [
            b"", b" ", b"null", b"[]", b'"text"', b"7", b"{} {}", b"{}x", b"{'a': 1}", b'{"a": 1,}', b"\xef\xbb\xbf",
            b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', b'{"\xc3": 1}', "{}".encode("utf-16"), b'{"a": "\n"}', b"{}\0",
            b'{"a": "\\', b'{"a": "\\ud8', b'{"a": 01}', b'{"a": /**/ 1}', b"\xef\xbb\xbf\xef\xbb\xbf{}",
        ],
    )  # fmt: skip
    def test_hold_json_objects_alone(self, text: bytes) -> None:
        """As the standard has them."""
        assert decode(text) == UnusableRequest(Defect.NOT_JSON)
