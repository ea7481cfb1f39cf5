"""The frozen keys under which gateways charge once."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.upc.request import Operation, RequestName, idempotency_key, validation_key

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "0.1.0" / "upc_idempotency_key.json").read_text()
)["vectors"]
TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=12)


class TestIdempotencyKey:
    """idempotency_key."""

    @pytest.mark.parametrize("vector", VECTORS, ids=[vector["reason"] for vector in VECTORS])
    def test_is_frozen(self, vector: dict[str, Any]) -> None:
        """A changed key would let a gateway charge a payment twice."""
        name = RequestName(vector["tenant_id"], Operation(vector["operation"]), vector["id"])

        assert idempotency_key(name) == vector["idempotency_key"]

    @given(first=st.tuples(TEXTS, TEXTS), second=st.tuples(TEXTS, TEXTS))
    def test_differs_where_a_part_differs(self, first: tuple[str, str], second: tuple[str, str]) -> None:
        """Tenant and id cannot run into each other."""
        keys = [idempotency_key(RequestName(tenant, Operation.PAYMENT, id_)) for tenant, id_ in (first, second)]

        assert (keys[0] == keys[1]) == (first == second)

    @given(tenant_id=TEXTS, id_=TEXTS)
    def test_differs_between_operations(self, tenant_id: str, id_: str) -> None:
        """A refund is never taken for the payment whose id it shares."""
        payment, refund = (
            idempotency_key(RequestName(tenant_id, operation, id_))
            for operation in (Operation.PAYMENT, Operation.REFUND)
        )

        assert len({payment, refund, validation_key(tenant_id=tenant_id, nonce=id_)}) == 3
