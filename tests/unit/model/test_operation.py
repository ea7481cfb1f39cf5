import re
from pathlib import Path
from typing import Final

import pytest
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.model.operation import ROUTED_RPCS, RPCS
from payorch_server.rpc.payment_orchestration import OPERATIONS

METHODS: Final = service_pb2.DESCRIPTOR.services_by_name["PaymentOrchestrationService"].methods_by_name
REQUESTS: Final = {name: method.input_type.fields_by_name for name, method in METHODS.items()}
SOURCES: Final = Path(__file__).parents[3] / "service" / "payorch_server"


class TestRpcs:
    """The table of RPCs."""

    def test_has_an_entry_for_every_rpc_of_the_proto(self) -> None:
        """With the same names."""
        assert set(METHODS) == set(RPCS)
        assert all(name == rpc.name for name, rpc in RPCS.items())

    def test_routes_those_that_the_proto_calls_operations(self) -> None:
        """An RPC that only reads has no operation, no route and no kill switch."""
        assert set(OPERATIONS.values()) == set(ROUTED_RPCS)
        assert set(OPERATIONS) == set(service_pb2.Operation.values()) - {service_pb2.OPERATION_UNSPECIFIED}

    @pytest.mark.parametrize("name", RPCS)
    def test_says_of_an_rpc_what_its_request_has(self, name: str) -> None:
        """A type of payment method is a oneof of the request, and every routed request has hints."""
        oneofs = METHODS[name].input_type.oneofs_by_name

        assert RPCS[name].has_method_type == ("method" in oneofs)
        assert RPCS[name].is_routed == ("route" in REQUESTS[name])

    def test_is_the_only_place_that_spells_the_names(self) -> None:
        """A literal elsewhere would be forgotten when an RPC is added."""
        spelled = re.compile(rf'"({"|".join(RPCS)})"')
        found = {file.name for file in SOURCES.rglob("*.py") if spelled.search(file.read_text())}

        assert found == {"operation.py"}
