"""Requests with every field set, each to a value that can be told from all others."""

import json
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from payorch.v1 import payment_method_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2

from harness.invalid_apple_tokens import TOKEN

REQUEST_ID = "request-0000-0001"


class Filler:
    """Fills messages by their descriptors and remembers the values by path."""

    def __init__(self) -> None:
        self.values: dict[str, str | int] = {}

    def fill(self, message: Any, path: str, choices: frozenset[str] = frozenset()) -> None:
        """Set every field; of a oneof the member whose name is among the choices, or the first."""
        for field in message.DESCRIPTOR.fields:
            chosen = field.containing_oneof
            if chosen is not None and len(chosen.fields) > 1 and field.name != self._choice(chosen, choices):
                continue
            self._set(message, field, f"{path}.{field.name}", choices)

    @staticmethod
    def _choice(oneof: Any, choices: frozenset[str]) -> str:
        names = [field.name for field in oneof.fields]
        return next((name for name in names if name in choices), names[0])

    def _set(self, message: Any, field: FieldDescriptor, path: str, choices: frozenset[str]) -> None:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value = field.message_type.fields_by_name["value"]
            if value.message_type is None:
                getattr(message, field.name)["own"] = self._text(path)
            else:
                getattr(message, field.name)["own"].text = self._text(path)
        elif field.is_repeated and field.message_type is None:
            getattr(message, field.name).append(self._text(path))
        elif field.message_type is not None:
            child = getattr(message, field.name)
            child.SetInParent()
            self.fill(child, path, choices)
        elif field.type == FieldDescriptor.TYPE_BYTES:
            setattr(message, field.name, self._token(path))
        elif field.type == FieldDescriptor.TYPE_STRING:
            setattr(message, field.name, self._text(path))
        elif field.type == FieldDescriptor.TYPE_BOOL:
            setattr(message, field.name, True)
        else:
            number = 1000 + len(self.values)
            self.values[path] = number
            setattr(message, field.name, number)

    def _text(self, path: str) -> str:
        text = f"value-of-{path.replace('_', '-').replace('.', '-')}"
        self.values[path] = text
        return text

    def _token(self, path: str) -> bytes:
        token = TOKEN if "apple" in path else {"protocolVersion": "ECv2", "signedMessage": self._text(path)}
        self.values.setdefault(path, TOKEN["data"])
        return json.dumps(token).encode()


def method_arms() -> list[str]:
    """List the arms of CreatePaymentMethodRequest.method."""
    return [field.name for field in service_pb2.CreatePaymentMethodRequest.DESCRIPTOR.oneofs_by_name["method"].fields]


def alternatives(arm: str) -> Iterator[frozenset[str]]:
    """Yield, for each member of the arm's own oneof, the choice of it."""
    field = service_pb2.CreatePaymentMethodRequest.DESCRIPTOR.fields_by_name[arm]
    own = [one for one in field.message_type.oneofs if len(one.fields) > 1]
    if not own:
        yield frozenset()
    for oneof in own:
        yield from (frozenset({member.name}) for member in oneof.fields)


def method_request(arm: str, choices: frozenset[str] = frozenset()) -> tuple[Any, dict[str, str | int]]:
    """Make a request whose arm is filled, and the values in it by path."""
    request = service_pb2.CreatePaymentMethodRequest(
        request_id=REQUEST_ID, account_by_id=payment_method_pb2.AccountById(id="account-id")
    )
    filler = Filler()
    child = getattr(request, arm)
    child.SetInParent()
    filler.fill(child, arm, choices)
    return request, filler.values
