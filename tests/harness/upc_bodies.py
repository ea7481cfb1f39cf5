"""Bodies of the requests that Zuora sends to a hub."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

from payorch_server.model.secret import reveal  # noqa: TID251 - to look inside
from payorch_server.upc.hub_decode import decode
from payorch_server.upc.request import HubRequest, TokenData

Members: TypeAlias = dict[str, Any]

EXAMPLES: Final[list[dict[str, Members]]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "upc_examples.json").read_text()
)["examples"]
"""The requests and answers that Zuora publishes: Validate, Payment, Refund."""


def example(operation: str) -> Members:
    """Return a copy of the published request of an operation."""
    return next(
        json.loads(json.dumps(found["request"])) for found in EXAMPLES if found["request"]["operation"] == operation
    )


def full(operation: str) -> Members:
    """Return a request with every member that the hub knows."""
    members = example(operation)
    members["paymentMethod"].setdefault("id", "4028818579a43c3f0179aba2808103e8")
    members["gatewayOptions"] = {"channel": "web", "retry": True}
    for name in {"payment", "refund"} & set(members):
        members[name] |= {"softDescriptor": "EXAMPLE*SHOP", "softDescriptorPhone": "5555550100"}
    return members


class Verbatim(str):
    """JSON text that is written as it is."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object in which a member may occur twice."""


def written(value: Any) -> str:
    """Return JSON, in which texts marked so stand as they are."""
    match value:
        case Verbatim():
            return str(value)
        case dict() | Pairs():
            pairs = value.items() if isinstance(value, dict) else value
            return "{" + ", ".join(f"{json.dumps(name)}: {written(inner)}" for name, inner in pairs) + "}"
        case list():
            return "[" + ", ".join(map(written, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def body(value: Any) -> bytes:
    """Return the body of a request."""
    return written(value).encode()


def decoded(value: Any) -> HubRequest:
    """Return a request that the hub can use."""
    request = decode(body(value))
    assert isinstance(request, HubRequest), request
    return request


def token_data_of(request: HubRequest) -> TokenData:
    """Return the fields of a request's payment method."""
    return reveal(request.method.token_data)


def paths(members: Members, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every member."""
    for name, value in members.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from paths(value, (*above, name))


def replaced(members: Members, path: tuple[str, ...], value: Any) -> Members:
    """Return a copy in which the member at a path has another value, or is added."""
    name, *below = path
    return {**members, name: replaced(members.get(name) or {}, tuple(below), value) if below else value}


def without(members: Members, path: tuple[str, ...]) -> Members:
    """Return a copy that lacks the member at a path."""
    name, *below = path
    if below:
        return {**members, name: without(members[name], tuple(below))}
    return {known: value for known, value in members.items() if known != name}


def doubled(members: Members, path: tuple[str, ...], value: Any, *, first: bool = False) -> Pairs:
    """Return a copy in which the member at a path occurs a second time, as the first or the last of its object."""
    name, *below = path
    if below:
        return Pairs(
            (known, doubled(inner, tuple(below), value, first=first) if known == name else inner)
            for known, inner in members.items()
        )
    again = [(name, value)]
    return Pairs([*again, *members.items()] if first else [*members.items(), *again])
