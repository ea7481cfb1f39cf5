"""OpenAPI of the JSON that Envoy's transcoder takes and gives.

protoc-gen-connect-openapi knows the messages and our rules; its paths are Envoy's too. What it says of Connect's own
headers and errors is replaced here, and what it says wrongly of proto3's JSON is put right.
"""

import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import generate
import yaml

_SOURCES: Final = (
    "payorch/v1/payment_orchestration_service.proto",
    "payorch/v1/error_reason.proto",
    "google/rpc/status.proto",
    "google/rpc/error_details.proto",
)
_PLUGIN: Final = generate.ROOT / "build/tools/protoc-gen-connect-openapi"
_SCHEMAS: Final = "#/components/schemas/"
_DETAILS: Final = (
    "google.rpc.ErrorInfo",
    "payorch.v1.CallOutcome",
    "google.rpc.BadRequest",
    "google.rpc.RetryInfo",
    "google.rpc.RequestInfo",
)
_INFO: Final = {
    "title": "payorch as JSON over HTTP",
    "version": "v1",
    "description": (
        "The RPCs of payorch through Envoy, which docs/gateway.md describes. An answer without a CallOutcome, such as "
        "one of a proxy that is not JSON, means: outcome UNKNOWN, resend with the same requestId."
    ),
}
_PARAMETERS: Final = (
    ("zuora-track-id", "Finds the call at Zuora; made by the service when absent.", "^[!#-&(-+\\--9<-~]{1,64}$"),
    ("traceparent", "Trace context of W3C.", "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"),
    ("grpc-timeout", "How long the caller waits, such as 30S; 20S when absent, 55S at most.", "^[0-9]{1,8}[HMSmun]$"),
)
# What the generator adds to comments for rules that it has no word for.
_NOISE: Final = ("request_id // ", "money.positive // ", "bytes.const = ")


def openapi(image: Path, service: str) -> str:
    """Return the document of one service of an image, as YAML."""
    with tempfile.TemporaryDirectory() as folder:
        options = f"path=openapi.yaml,features=connectrpc;protovalidate,short-service-tags,services={service}"
        generate.run(sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={image}",
                     f"--plugin={_PLUGIN}", f"--connect-openapi_out={folder}",
                     f"--connect-openapi_opt={options}", *_SOURCES)  # fmt: skip
        document = yaml.safe_load(Path(folder, "openapi.yaml").read_text(encoding="utf-8"))
    document["info"] = _INFO
    schemas = document["components"]["schemas"]
    for schema in _objects(schemas):
        _correct(schema)
    schemas["google.protobuf.Timestamp"] = {"type": "string", "format": "date-time"}
    schemas["google.protobuf.Duration"] = {"type": "string", "pattern": "^-?[0-9]+([.][0-9]+)?s$"}
    schemas["google.rpc.Status"]["properties"]["details"]["items"] = _detail(schemas)
    for methods in document["paths"].values():
        _through_envoy(methods["post"])
    document["components"]["schemas"] = _reachable(document["paths"], schemas)
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


class _Plain(yaml.SafeDumper):
    """Writes what stands in two places twice: few readers of OpenAPI know YAML's anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the name is PyYAML's
        """Return that nothing is referred to."""
        return True


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping below a node, and itself."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _objects(child)


def _correct(schema: dict[str, Any]) -> None:
    """Put right one schema; a mapping that is none has none of these members."""
    if schema.get("additionalProperties") is False and {"oneOf", "allOf"} & schema.keys():
        # The other word does not see the fields of the oneofs and would refuse them.
        del schema["additionalProperties"]
        schema["unevaluatedProperties"] = False
    if schema.get("format") == "byte" and "maxLength" in schema:
        # The rule counts bytes; four characters of base64 are three of them.
        schema["maxLength"] = 4 * math.ceil(schema["maxLength"] / 3)
    if schema.get("type") == "string" and "uniqueItems" in schema:
        del schema["uniqueItems"]
        schema.pop("maxItems", None)
    if isinstance(schema.get("not"), dict):
        del schema["not"]
    if schema.get("nullable") is True:
        del schema["nullable"]
    if isinstance(text := schema.get("description"), str):
        lines = [line.strip() for line in text.splitlines() if not line.strip().startswith(_NOISE)]
        schema["description"] = " ".join(lines).strip()


def _detail(schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one detail of an error, which says in @type which message it is."""
    known = [
        {
            "type": "object",
            "required": ["@type"],
            "properties": {"@type": {"const": f"type.googleapis.com/{name}"}, **schemas[name]["properties"]},
            "additionalProperties": False,
        }
        for name in _DETAILS
    ]
    return {"oneOf": known}


def _through_envoy(operation: dict[str, Any]) -> None:
    """Give an operation the headers and errors that Envoy passes on."""
    operation["parameters"] = [
        {"name": name, "in": "header", "description": told, "schema": {"type": "string", "pattern": pattern}}
        for name, told, pattern in _PARAMETERS
    ]
    operation["responses"]["default"] = {
        "description": "An error of the service or of the gateway in front of it; its details give the outcome.",
        "headers": {
            name: {"description": told, "schema": {"type": "string"}}
            for name, told in (
                ("payorch-outcome", "The outcome of the CallOutcome, without its prefix."),
                ("payorch-advice", "The advice of the CallOutcome, without its prefix."),
                ("zuora-track-id", "The Track-Id of the call; absent when the gateway refused it."),
            )
        },
        "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}google.rpc.Status"}}},
    }


def _reachable(paths: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas that the paths use, directly or not."""
    found: set[str] = set()
    waiting = [paths]
    while waiting:
        references = {one["$ref"] for one in _objects(waiting.pop()) if isinstance(one.get("$ref"), str)}
        fresh = {one.removeprefix(_SCHEMAS) for one in references} - found
        found |= fresh
        waiting += (schemas[name] for name in fresh)
    return {name: schemas[name] for name in sorted(found)}
