"""Writes the map of sensitive data into docs/security.md, from the options of the fields; the gate that finds drift.

python tools/data_flow.py          write the map
python tools/data_flow.py --check  fail if the page differs
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import sensitivity_pb2

PAGE = Path(__file__).resolve().parent.parent / "docs" / "security.md"
BEGIN, END = "<!-- data flow: begin -->\n", "<!-- data flow: end -->\n"
CLASSES = {
    sensitivity_pb2.SENSITIVITY_SECRET: "secret",
    sensitivity_pb2.SENSITIVITY_ACCOUNT_DATA: "account data",
    sensitivity_pb2.SENSITIVITY_PERSONAL: "personal",
}
# The card security code takes part in nothing; see rpc/request_fingerprint.py.
NOT_FINGERPRINTED = {"security_code"}
# Made by the service for validate_only, and kept nowhere.
PREVIEW = "upstream_request"
# Part of the fingerprint that distinguishes validations, in upc/hub_record.py. A payment has its id instead.
HASHED_OF_VALIDATIONS = {"call.method.token_data", "call.gateway_options", "call.other_members_json"}
# Zuora takes no new values of fields with a refund; see upc/hub_encode.py.
ENDS_IN_HUB = {"ProcessRefund"}


def sensitive_fields(message: Descriptor, path: str, seen: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield path and class of every sensitive field below a message; what is below a sensitive one is part of it."""
    if message.full_name in seen:
        return
    for field in message.fields:
        marked = field.GetOptions().Extensions[sensitivity_pb2.sensitivity]
        if marked:
            yield f"{path}{field.name}", CLASSES[marked]
        elif _is_ours(field):
            yield from sensitive_fields(field.message_type, f"{path}{field.name}.", (*seen, message.full_name))


def _is_ours(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name.startswith("payorch.")


def rows() -> Iterator[str]:
    """Yield the rows of the table."""
    yield "| RPC | field | class | from | to | what the service keeps |"
    yield "|---|---|---|---|---|---|"
    for method in service_pb2.DESCRIPTOR.services_by_name["PaymentOrchestrationService"].methods:
        for path, kind in sensitive_fields(method.input_type, ""):
            kept = "nothing" if path.rpartition(".")[2] in NOT_FINGERPRINTED else "keyed hash"
            yield f"| {method.name} | `{path}` | {kind} | caller | Zuora | {kept} |"
        for path, kind in sensitive_fields(method.output_type, ""):
            source, kept = ("service", "nothing") if path.startswith(PREVIEW) else ("Zuora", "sealed result")
            yield f"| {method.name} | `{path}` | {kind} | {source} | caller | {kept} |"
    for method in gateway_pb2.DESCRIPTOR.services_by_name["PaymentGatewayService"].methods:
        yield from _rows_of_gateways(method)


def _rows_of_gateways(method: MethodDescriptor) -> Iterator[str]:
    for path, kind in sensitive_fields(method.input_type, ""):
        is_hashed = method.name == "ValidatePaymentMethod" and path in HASHED_OF_VALIDATIONS
        yield f"| {method.name} | `{path}` | {kind} | Zuora | gateway | {'keyed hash' if is_hashed else 'nothing'} |"
    for path, kind in sensitive_fields(method.output_type, ""):
        target = "hub" if method.name in ENDS_IN_HUB else "Zuora"
        yield f"| {method.name} | `{path}` | {kind} | gateway | {target} | sealed answer |"


def with_map(page: str) -> str:
    """Return the page with today's map."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n".join(rows()) + "\n" + END + after


def main() -> None:
    """Write or compare."""
    page = PAGE.read_text(encoding="utf-8")
    fresh = with_map(page)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(fresh, encoding="utf-8")
    elif fresh != page:
        sys.exit("The map of sensitive data in docs/security.md differs from the protos; run `make generate`.")


if __name__ == "__main__":
    main()
