import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from harness.keyring import keyring
from harness.requests import decryption_request, minted_token, payment_method_request, session_request
from hypothesis import given
from hypothesis import strategies as st
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.intents.intent import SENSITIVE, Fingerprint, differences
from payorch_server.rpc.decode import decode_decrypt_apple_pay
from payorch_server.rpc.decode_payment_method import decode_create_payment_method
from payorch_server.rpc.request_fingerprint import fingerprints_of

RING = keyring("k2", "k1")
REQUESTS = (
    service_pb2.CreateSessionRequest,
    service_pb2.DecryptApplePayRequest,
    service_pb2.CreatePaymentMethodRequest,
)
# Neither makes a request another one, and the card security code may take part in nothing.
NO_PART = {"request_id", "validate_only", "card.security_code"}
KEY = 'the "key"'
SAMPLES: dict[int, tuple[Any, Any]] = {
    FieldDescriptor.TYPE_STRING: ("canary-one", "canary-two"),
    FieldDescriptor.TYPE_BYTES: (b"canary-one", b"canary-two"),
    FieldDescriptor.TYPE_BOOL: (True, False),
    FieldDescriptor.TYPE_INT32: (1, 2),
    FieldDescriptor.TYPE_INT64: (1, 2),
    FieldDescriptor.TYPE_ENUM: (1, 2),
}
Setter = Callable[[Any, int], None]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One place of a request that can hold a value."""

    path: str
    sensitive: bool
    put: Setter
    """Puts the first or the second value there."""


def leaves(descriptor: Descriptor) -> Iterator[Leaf]:
    """Find every place, in every message below."""
    for field in descriptor.fields:
        for leaf in below(field):
            hidden = leaf.sensitive or field.GetOptions().debug_redact
            yield Leaf(leaf.path, hidden, leaf.put)


def below(field: FieldDescriptor) -> Iterator[Leaf]:
    """Find the places of one field."""
    name, kind = field.name, field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        value = kind.fields_by_name["value"]
        if value.message_type is None:
            yield Leaf(f'{name}["{KEY}"]', False, lambda m, n: getattr(m, name).update({KEY: sample(value, n)}))
        for leaf in leaves(value.message_type) if value.message_type else ():
            yield Leaf(
                f'{name}["{KEY}"].{leaf.path}', leaf.sensitive, lambda m, n, put=leaf.put: put(getattr(m, name)[KEY], n)
            )
    elif field.is_repeated and kind is None:
        yield Leaf(f"{name}[0]", False, lambda m, n: getattr(m, name).append(sample(field, n)))
    elif field.is_repeated:
        for leaf in leaves(kind):
            yield Leaf(
                f"{name}[0].{leaf.path}", leaf.sensitive, lambda m, n, put=leaf.put: put(getattr(m, name).add(), n)
            )
    elif kind is None:
        yield Leaf(name, False, lambda m, n: setattr(m, name, sample(field, n)))
    else:
        yield Leaf(name, False, lambda m, n: getattr(m, name).SetInParent() if n == 0 else None)
        for leaf in leaves(kind):
            yield Leaf(f"{name}.{leaf.path}", leaf.sensitive, lambda m, n, put=leaf.put: below_of(m, name, put, n))


def below_of(message: Any, name: str, put: Setter, index: int) -> None:
    """Put a value into a message that is there."""
    getattr(message, name).SetInParent()
    put(getattr(message, name), index)


def sample(field: FieldDescriptor, index: int) -> Any:
    """Return one of two values of the field's type."""
    return SAMPLES[field.type][index]


def fingerprint(request: Any) -> Fingerprint:
    """Return the fingerprint under the key in use."""
    return fingerprints_of(request, RING, in_place_of={})["k2"]


def with_value(kind: Any, leaf: Leaf, index: int) -> Any:
    """Make a request that holds one value."""
    request = kind()
    leaf.put(request, index)
    return request


PLACES = [(kind, leaf) for kind in REQUESTS for leaf in leaves(kind.DESCRIPTOR)]
COUNTED = [(kind, leaf) for kind, leaf in PLACES if leaf.path not in NO_PART]


def ids(places: list[tuple[Any, Leaf]]) -> list[str]:
    """Name the rows."""
    return [f"{kind.DESCRIPTOR.name}.{leaf.path}" for kind, leaf in places]


def full(kind: Any, *, salt: str = "") -> Any:
    """Make a request that holds the first value everywhere; of a oneof the last arm stays."""
    request = kind()
    for leaf in leaves(kind.DESCRIPTOR):
        leaf.put(request, 0)
    request.request_id = f"request-{salt}"
    return request


class TestFingerprintsOf:
    """What makes two requests the same."""

    def test_walks_the_whole_contract(self) -> None:
        """The rows below come from the descriptors, so a new field has its row at once."""
        assert len(COUNTED) > 150
        assert NO_PART < {leaf.path for _, leaf in PLACES}
        assert any(leaf.sensitive for _, leaf in COUNTED)

    @pytest.mark.parametrize(("kind", "leaf"), COUNTED, ids=ids(COUNTED))
    def test_changes_with_every_field(self, kind: Any, leaf: Leaf) -> None:
        """Another value is a difference at its path, or in 'a sensitive field'; so is a value that was left out."""
        first, second = fingerprint(with_value(kind, leaf, 0)), fingerprint(with_value(kind, leaf, 1))

        # A list counts as a whole.
        expected = SENSITIVE if leaf.sensitive else leaf.path.partition("[0]")[0]
        assert differences(first, second) == (expected,)
        assert expected in differences(first, fingerprint(kind()))

    @pytest.mark.parametrize("path", sorted(NO_PART))
    def test_leaves_out_what_makes_no_other_request(self, path: str) -> None:
        """Not even whether it is there."""
        for kind, leaf in PLACES:
            if leaf.path == path:
                first, second = fingerprint(with_value(kind, leaf, 0)), fingerprint(with_value(kind, leaf, 1))
                assert first == second

    @pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.DESCRIPTOR.name)
    @given(seed=st.randoms(use_true_random=False))
    def test_does_not_depend_on_the_encoding(self, kind: Any, seed: Any) -> None:
        """Fields may come in any order on the wire, and maps have none."""
        request = full(kind)
        for name in (field.name for field in kind.DESCRIPTOR.fields if field.name == "gateway_options"):
            getattr(request, name).update({"b": "2", "a": "1", "c": "3"})
        chunks = []
        for field, _ in request.ListFields():
            part = kind()
            part.CopyFrom(request)
            for other, _ in request.ListFields():
                if other.name != field.name:
                    part.ClearField(other.name)
            chunks.append(part.SerializeToString())
        seed.shuffle(chunks)

        again = kind.FromString(b"".join(chunks))

        assert again == request
        assert fingerprint(again) == fingerprint(request)

    @pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.DESCRIPTOR.name)
    def test_holds_no_value(self, kind: Any) -> None:
        """Keyed hashes and names of fields, whatever is sensitive or not."""
        shown = repr(fingerprints_of(full(kind), RING, in_place_of={}))

        assert "canary" not in shown

    @pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.DESCRIPTOR.name)
    def test_is_made_under_each_key(self, kind: Any) -> None:
        """The key in use first, and no value the same under both."""
        both = fingerprints_of(full(kind), RING, in_place_of={})

        assert list(both) == ["k2", "k1"] == [one.key_id for one in both.values()]
        assert not {*both["k1"].plain.values()} & {*both["k2"].plain.values()}
        assert both["k1"].sensitive != both["k2"].sensitive

    def test_tells_equal_values_in_different_places_apart(self) -> None:
        """Two fields that swap their values are two differences."""
        one, other = session_request("x" * 16), session_request("x" * 16)
        one.route.tenant, one.route.entity = "a", "b"
        other.route.tenant, other.route.entity = "b", "a"

        assert differences(fingerprint(one), fingerprint(other)) == ("route.entity", "route.tenant")

    def test_counts_the_order_of_a_list(self) -> None:
        """Orgs and invoices mean something by their place."""
        one, other = session_request("x" * 16), session_request("x" * 16)
        one.route.orgs.extend(["north", "south"])
        other.route.orgs.extend(["south", "north"])

        assert differences(fingerprint(one), fingerprint(other)) == ("route.orgs",)


def decrypted(token_json: bytes) -> Fingerprint:
    """Return the fingerprint that decoding makes of a token."""
    return decode_decrypt_apple_pay(decryption_request("x" * 16, token_json=token_json), RING).intent.fingerprints["k2"]


def created(token_json: bytes) -> Fingerprint:
    """Return the fingerprint of the same token in the other RPC."""
    request = payment_method_request("x" * 16)
    request.apple_pay.token_json = token_json
    request.apple_pay.no_charge.SetInParent()
    return decode_create_payment_method(request, RING).intent.fingerprints["k2"]


class TestAppleToken:
    """A token counts by its decoded members, not by the text it came as."""

    @pytest.mark.parametrize("of", [decrypted, created], ids=["DecryptApplePay", "CreatePaymentMethod"])
    @pytest.mark.parametrize("written", ["inner", "spaces", "order", "unknown wrapper member"])
    def test_is_the_same_however_it_is_written(self, of: Callable[[bytes], Fingerprint], written: str) -> None:
        """Browsers hand out a wrapper, iOS the inner object; a resend may pass through another library."""
        token_json = minted_token()
        wrapper = json.loads(token_json)
        inner = wrapper["paymentData"]
        texts = {
            "inner": json.dumps(inner),
            "spaces": json.dumps(wrapper, indent=4),
            "order": json.dumps({"paymentData": dict(reversed(inner.items()))}),
            "unknown wrapper member": json.dumps({**wrapper, "colour": "green"}),
        }

        assert of(texts[written].encode()) == of(token_json)

    @pytest.mark.parametrize("of", [decrypted, created], ids=["DecryptApplePay", "CreatePaymentMethod"])
    def test_differs_as_a_sensitive_field(self, of: Callable[[bytes], Fingerprint]) -> None:
        """Another token is another intent, and neither is shown."""
        assert differences(of(minted_token()), of(minted_token())) == (SENSITIVE,)

    def test_has_no_fingerprint_for_a_dry_run(self) -> None:
        """Nothing is stored or compared."""
        request: Message = decryption_request("x" * 16)
        request.validate_only = True  # type: ignore[attr-defined] # generated

        assert decode_decrypt_apple_pay(request, RING).intent.fingerprints == {}
