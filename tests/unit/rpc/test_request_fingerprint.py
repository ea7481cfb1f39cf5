import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from harness.checked import checked, hashed
from harness.keyring import keyring
from harness.mutated_requests import mutate, mutated_requests
from harness.requests import decryption_request, minted_token, payment_method_request, session_request
from hypothesis import given
from hypothesis import strategies as st
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.intents.intent import SENSITIVE, Fingerprint
from payorch_server.model.secret import Secret
from payorch_server.rpc.decode import decode_decrypt_apple_pay
from payorch_server.rpc.decode_payment_method import decode_create_payment_method
from payorch_server.rpc.request_fingerprint import COMPACT
from payorch_server.store.keyring import Keyring

RING = keyring("k2", "k1")
FORMS = ("k2", f"{COMPACT}k2")
"""What a fingerprint under the key in use is called, in either form."""
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


def differences(first: Any, second: Any, form: str) -> tuple[str, ...] | None:
    """Compare a request with what is recorded of another one."""
    return hashed(first, RING).differences(hashed(second, RING).under(form))


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


class TestHashedRequest:
    """What makes two requests the same."""

    def test_walks_the_whole_contract(self) -> None:
        """The rows below come from the descriptors, so a new field has its row at once."""
        assert len(COUNTED) > 150
        assert NO_PART < {leaf.path for _, leaf in PLACES}
        assert any(leaf.sensitive for _, leaf in COUNTED)

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize(("kind", "leaf"), COUNTED, ids=ids(COUNTED))
    def test_changes_with_every_field(self, kind: Any, leaf: Leaf, form: str) -> None:
        """Another value is a difference at its path, or in 'a sensitive field'; so is a value that one side lacks."""
        first, second = with_value(kind, leaf, 0), with_value(kind, leaf, 1)

        # A list counts as a whole.
        expected = SENSITIVE if leaf.sensitive else leaf.path.partition("[0]")[0]
        assert differences(first, second, form) == (expected,)
        assert expected in (differences(first, kind(), form) or ())
        assert expected in (differences(kind(), first, form) or ())

    @pytest.mark.parametrize("path", sorted(NO_PART))
    def test_leaves_out_what_makes_no_other_request(self, path: str) -> None:
        """Not even whether it is there."""
        for kind, leaf in PLACES:
            if leaf.path == path:
                first, second = with_value(kind, leaf, 0), with_value(kind, leaf, 1)
                assert [()] * 2 == [differences(first, second, form) for form in FORMS]

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
        assert [()] * 2 == [differences(again, request, form) for form in FORMS]

    @pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.DESCRIPTOR.name)
    def test_holds_no_value(self, kind: Any) -> None:
        """Keyed hashes and names of fields, whatever is sensitive or not."""
        request = hashed(full(kind), RING)

        assert "canary" not in repr((request, checked(full(kind)), *(request.under(form) for form in FORMS)))

    @pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.DESCRIPTOR.name)
    def test_is_made_under_each_key(self, kind: Any) -> None:
        """No value is the same under both, or in both forms."""
        names = [prefix + key_id for prefix in ("", COMPACT) for key_id in RING.key_ids]
        made = [hashed(full(kind), RING).under(name) for name in names]

        assert names == [fingerprint.key_id for fingerprint in made]
        assert hashed(full(kind), RING).written == made[0]
        values = [value for fingerprint in made for value in (*fingerprint.plain.values(), fingerprint.sensitive)]
        assert len(values) == len({*values})

    def test_tells_equal_values_in_different_places_apart(self) -> None:
        """Two fields that swap their values are two differences."""
        one, other = session_request("x" * 16), session_request("x" * 16)
        one.route.tenant, one.route.entity = "a", "b"
        other.route.tenant, other.route.entity = "b", "a"

        assert [("route.entity", "route.tenant")] * 2 == [differences(one, other, form) for form in FORMS]

    def test_counts_the_order_of_a_list(self) -> None:
        """Orgs and invoices mean something by their place."""
        one, other = session_request("x" * 16), session_request("x" * 16)
        one.route.orgs.extend(["north", "south"])
        other.route.orgs.extend(["south", "north"])

        assert [("route.orgs",)] * 2 == [differences(one, other, form) for form in FORMS]


def decrypted(token_json: bytes) -> Fingerprint:
    """Return the fingerprint that decoding makes of a token."""
    request = checked(decryption_request("x" * 16, token_json=token_json))
    return decode_decrypt_apple_pay(request, RING).intent.fingerprints.written


def created(token_json: bytes) -> Fingerprint:
    """Return the fingerprint of the same token in the other RPC."""
    request = payment_method_request("x" * 16)
    request.apple_pay.token_json = token_json
    request.apple_pay.no_charge.SetInParent()
    return decode_create_payment_method(checked(request), RING).intent.fingerprints.written


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
        first, second = of(minted_token()), of(minted_token())

        assert (first.plain, first.sensitive != second.sensitive) == (second.plain, True)


def records_of(request: Any) -> Iterator[Fingerprint]:
    """Yield what records may hold of a request: in either form, under either key."""
    yield from (hashed(request, RING).under(prefix + key_id) for prefix in ("", COMPACT) for key_id in RING.key_ids)


class TestWhatIsRecorded:
    """A record is compared in its own form, under its own key, or not at all."""

    def test_differs_if_and_only_if_the_request_does(self) -> None:
        """Requests on both sides of every rule, pair by pair, without what makes no other request."""
        seen, rng = Counter[bool](), random.Random(1)  # noqa: S311 - repeatable
        requests = [r for r in mutated_requests(1500, seed=1) if isinstance(r, REQUESTS)]
        for first, second in pairwise(requests):
            again, changed = (type(first).FromString(first.SerializeToString()) for _ in range(2))
            mutate(changed, rng)
            for other in (second, again, changed):
                same = type(first) is type(other) and canonical(first) == canonical(other)
                seen[same] += 1
                assert {same} == {hashed(first, RING).differences(found) == () for found in records_of(other)}

        assert min(seen.values()) > 500

    @pytest.mark.parametrize("key_id", ["3|k2", "2|k3", "k3", "", "2|", "|k2", "3|"])
    def test_is_not_compared_in_an_unknown_form_or_under_an_unknown_key(self, key_id: str) -> None:
        """A difference would be a guess, and so would the lack of one."""
        recorded = replace(hashed(session_request("x" * 16), RING).written, key_id=key_id)

        assert hashed(session_request("x" * 16), RING).differences(recorded) is None

    def test_of_a_newer_version_keeps_the_numbers_of_unknown_fields(self) -> None:
        """A field that this version lacks has no name here."""
        request = session_request("x" * 16)
        recorded = hashed(request, RING).under(f"{COMPACT}k2")
        newer = replace(recorded, plain={**recorded.plain, "5.99.1": "00000000", "99": "00000000"})

        assert hashed(request, RING).differences(newer) == ("99", "one_time_payment.99")

    def test_cannot_be_guessed_without_the_key(self) -> None:
        """A card number has few values: whoever reads the store may try them all, but has no key."""
        card = payment_method_request("x" * 16)
        card.card.number = "4111111111111111"
        other = Keyring((("k2", Secret(b"another key, of 32 bytes at least")),), entropy=bytes)

        for form in FORMS:
            recorded, guessed = hashed(card, RING).under(form), hashed(card, other).under(form)
            assert recorded.sensitive != guessed.sensitive
            assert not {*recorded.plain.values()} & {*guessed.plain.values()}


def canonical(request: Any) -> bytes:
    """Encode what makes a request another one, in one way for equal ones."""
    copy = type(request)()
    copy.CopyFrom(request)
    for name in NO_PART - {"card.security_code"}:
        copy.ClearField(name)
    if "card" in copy.DESCRIPTOR.fields_by_name and copy.HasField("card"):
        copy.card.ClearField("security_code")
    copy.DiscardUnknownFields()
    return copy.SerializeToString(deterministic=True)
