"""Parts of Kubernetes' objects that values hand on: closed, so that a misspelt key is refused before it is ignored."""

from typing import Any, Final

_NAME: Final = {"type": "string", "minLength": 1}
_LABELS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_QUANTITIES: Final = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}


def _closed(description: str, *required: str, **properties: Any) -> dict[str, Any]:
    node = {
        "description": description,
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }
    return node | ({"required": list(required)} if required else {})


def _list_of(name: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/$defs/{name}"}}


DEFINITIONS: Final[dict[str, Any]] = {
    "Affinity": _closed(
        "Affinity of Kubernetes; what is below these keys is checked by it.",
        nodeAffinity={"type": "object", "additionalProperties": True},
        podAffinity={"type": "object", "additionalProperties": True},
        podAntiAffinity={"type": "object", "additionalProperties": True},
    ),
    "IPBlock": _closed(
        "IPBlock of Kubernetes: a range of addresses, and ranges in it that do not count.",
        "cidr",
        cidr={"type": "string", "pattern": "^[0-9a-fA-F.:]+/[0-9]{1,3}$"},
        **{"except": {"type": "array", "items": {"type": "string", "pattern": "^[0-9a-fA-F.:]+/[0-9]{1,3}$"}}},
    ),
    "LabelSelector": _closed(
        "LabelSelector of Kubernetes.",
        matchLabels=_LABELS,
        matchExpressions={
            "type": "array",
            "items": _closed(
                "LabelSelectorRequirement of Kubernetes.",
                "key",
                "operator",
                key=_NAME,
                operator={"type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"]},
                values={"type": "array", "items": {"type": "string"}},
            ),
        },
    ),
    "LocalObjectReference": _closed("An existing object of the same namespace.", "name", name=_NAME),
    "NetworkPolicyEgressRule": _closed(
        "NetworkPolicyEgressRule of Kubernetes.",
        to=_list_of("NetworkPolicyPeer") | {"minItems": 1},
        ports={
            "type": "array",
            "items": _closed(
                "NetworkPolicyPort of Kubernetes.",
                port={"type": ["integer", "string"]},
                endPort={"type": "integer"},
                protocol={"type": "string", "enum": ["TCP", "UDP", "SCTP"]},
            ),
        },
    ),
    "NetworkPolicyPeer": _closed(
        "NetworkPolicyPeer of Kubernetes.",
        podSelector={"$ref": "#/$defs/LabelSelector"},
        namespaceSelector={"$ref": "#/$defs/LabelSelector"},
        ipBlock={"$ref": "#/$defs/IPBlock"},
    )
    | {"minProperties": 1},
    "ParentReference": _closed(
        "ParentReference of the Gateway API.",
        "name",
        name=_NAME,
        namespace=_NAME,
        sectionName=_NAME,
        group={"type": "string"},
        kind=_NAME,
        port={"type": "integer"},
    ),
    "ResourceRequirements": _closed("ResourceRequirements of Kubernetes.", requests=_QUANTITIES, limits=_QUANTITIES),
    "SecretKey": _closed("An existing Secret, and a key in it.", "name", "key", name=_NAME, key=_NAME),
    "Toleration": _closed(
        "Toleration of Kubernetes.",
        key={"type": "string"},
        operator={"type": "string"},
        value={"type": "string"},
        effect={"type": "string", "enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
        tolerationSeconds={"type": "integer"},
    ),
}
