import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.model.identifiers import RequestId
from payorch_server.orchestration.intents import idempotency_key

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "idempotency_key.json").read_text())["vectors"]
PARTS = st.text(max_size=12)


class TestIdempotencyKey:
    """One intent has one key, for ever."""

    @pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["reason"])
    def test_is_the_published_one(self, vector: dict[str, str]) -> None:
        """The vectors are frozen: a red test here means that the code is wrong, not the file."""
        key = idempotency_key(
            namespace=vector["namespace"], rpc=vector["rpc"], request_id=RequestId(vector["request_id"])
        )

        assert key == vector["idempotency_key"], vector["reason"]

    def test_differs_in_every_vector(self) -> None:
        """The file shows that borders, capitals, RPC and namespace count."""
        keys = {vector["idempotency_key"] for vector in VECTORS}

        assert len(keys) == len(VECTORS) >= 5

    @given(PARTS, PARTS, PARTS)
    def test_fits_what_zuora_takes(self, namespace: str, rpc: str, request_id: str) -> None:
        """44 plain characters of the 255 that Zuora allows."""
        key = idempotency_key(namespace=namespace, rpc=rpc, request_id=RequestId(request_id))

        assert re.fullmatch(r"po1-[0-9a-f]{40}", key)

    @given(st.tuples(PARTS, PARTS, PARTS), st.tuples(PARTS, PARTS, PARTS))
    def test_is_shared_by_equal_triples_alone(self, one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
        """Two intents never share a key."""
        first, second = (
            idempotency_key(namespace=parts[0], rpc=parts[1], request_id=RequestId(parts[2])) for parts in (one, other)
        )

        assert (first == second) == (one == other)
