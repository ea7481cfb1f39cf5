"""Parts of Kubernetes' objects that values hand on: closed, so that a misspelt key is refused before it is ignored."""

from typing import Any, Final

_NAME: Final = {"type": "string", "minLength": 1}
_LABELS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_QUANTITIES: Final = {
    "type": "object",
    "properties": {"memory": {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?([KMGTPE]i|[kMGTPE])$"}},
    "additionalProperties": {"type": ["string", "number"]},
}
_INTEGER: Final = {"type": "integer"}
_TEXT: Final = {"type": "string"}
_BOOLEAN: Final = {"type": "boolean"}
_NUMBER_OR_SHARE: Final = {"type": ["integer", "string"]}


def _closed(description: str, *required: str, **properties: Any) -> dict[str, Any]:
    node = {
        "description": description,
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }
    return node | ({"required": list(required)} if required else {})


def _open(description: str, *required: str) -> dict[str, Any]:
    return {
        "description": f"{description}; what is in it is checked by Kubernetes.",
        "type": "object",
        "additionalProperties": True,
        "required": list(required),
    }


def _reference(description: str, *required: str, **properties: Any) -> dict[str, Any]:
    return _closed(description, *required, optional=_BOOLEAN, **properties)


def _list_of(name: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/$defs/{name}"}}


DEFINITIONS: Final[dict[str, Any]] = {
    "Affinity": _closed(
        "Affinity of Kubernetes; what is below these keys is checked by it.",
        nodeAffinity={"type": "object", "additionalProperties": True},
        podAffinity={"type": "object", "additionalProperties": True},
        podAntiAffinity={"type": "object", "additionalProperties": True},
    ),
    "AlertChanges": _closed(
        "What is different for one alert.",
        enabled=_BOOLEAN,
        threshold={"type": ["number", "string"]},
        **{"for": {"type": "string", "pattern": "^[0-9]+[smhd]$"}},
        labels=_LABELS,
        annotations=_LABELS,
    ),
    "Container": _open("Container of Kubernetes", "name", "image"),
    "DeploymentStrategy": _closed(
        "DeploymentStrategy of Kubernetes.",
        type={"type": "string", "enum": ["RollingUpdate", "Recreate"]},
        rollingUpdate=_closed(
            "RollingUpdateDeployment of Kubernetes.", maxSurge=_NUMBER_OR_SHARE, maxUnavailable=_NUMBER_OR_SHARE
        ),
    ),
    "EnvFromSource": _closed(
        "EnvFromSource of Kubernetes.",
        prefix=_TEXT,
        configMapRef=_reference("An existing ConfigMap.", "name", name=_NAME),
        secretRef=_reference("An existing Secret.", "name", name=_NAME),
    ),
    "EnvVar": _closed(
        "EnvVar of Kubernetes.",
        "name",
        name=_NAME,
        value=_TEXT,
        valueFrom=_closed(
            "EnvVarSource of Kubernetes.",
            configMapKeyRef=_reference("A key of a ConfigMap.", "name", "key", name=_NAME, key=_NAME),
            secretKeyRef=_reference("A key of a Secret.", "name", "key", name=_NAME, key=_NAME),
            fieldRef=_closed("A field of the pod.", "fieldPath", apiVersion=_NAME, fieldPath=_NAME),
            resourceFieldRef=_closed(
                "A resource of a container.", "resource", containerName=_NAME, resource=_NAME, divisor=_TEXT
            ),
        ),
    ),
    "HostAlias": _closed(
        "HostAlias of Kubernetes.", "ip", ip=_NAME, hostnames={"type": "array", "items": _NAME, "minItems": 1}
    ),
    "IPBlock": _closed(
        "IPBlock of Kubernetes: a range of addresses, and ranges in it that do not count.",
        "cidr",
        cidr={"type": "string", "pattern": "^[0-9a-fA-F.:]+/[0-9]{1,3}$"},
        **{"except": {"type": "array", "items": {"type": "string", "pattern": "^[0-9a-fA-F.:]+/[0-9]{1,3}$"}}},
    ),
    "IssuerReference": _closed(
        "An issuer of cert-manager.",
        name=_NAME,
        kind={"type": "string", "enum": ["Issuer", "ClusterIssuer"]},
        group=_NAME,
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
    "Object": _open("An object of the cluster", "apiVersion", "kind", "metadata"),
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
    "PodDNSConfig": _closed(
        "PodDNSConfig of Kubernetes.",
        nameservers={"type": "array", "items": _NAME},
        searches={"type": "array", "items": _NAME},
        options={
            "type": "array",
            "items": _closed("PodDNSConfigOption of Kubernetes.", "name", name=_NAME, value=_TEXT),
        },
    ),
    "PodSecurityContext": _closed(
        "PodSecurityContext of Kubernetes.",
        runAsNonRoot=_BOOLEAN,
        runAsUser=_INTEGER,
        runAsGroup=_INTEGER,
        fsGroup=_INTEGER,
        fsGroupChangePolicy=_NAME,
        supplementalGroups={"type": "array", "items": _INTEGER},
        supplementalGroupsPolicy=_NAME,
        seccompProfile={"$ref": "#/$defs/SeccompProfile"},
        appArmorProfile={"$ref": "#/$defs/SeccompProfile"},
        seLinuxOptions=_LABELS,
        sysctls={"type": "array", "items": _closed("Sysctl of Kubernetes.", "name", "value", name=_NAME, value=_TEXT)},
    ),
    "ProbeTimes": _closed(
        "Times of a probe of Kubernetes.",
        initialDelaySeconds=_INTEGER,
        periodSeconds=_INTEGER,
        timeoutSeconds=_INTEGER,
        failureThreshold=_INTEGER,
        successThreshold=_INTEGER,
    ),
    "RelabelConfig": _closed(
        "RelabelConfig of the Prometheus operator.",
        sourceLabels={"type": "array", "items": _NAME},
        separator=_TEXT,
        targetLabel=_NAME,
        regex=_TEXT,
        modulus=_INTEGER,
        replacement=_TEXT,
        action=_NAME,
    ),
    "RemoteReference": _closed(
        "Where a store of the External Secrets Operator has a secret.",
        "key",
        key=_NAME,
        property=_NAME,
        version=_NAME,
        decodingStrategy={"type": "string", "enum": ["None", "Base64", "Base64URL", "Auto"]},
    ),
    "ResourceRequirements": _closed("ResourceRequirements of Kubernetes.", requests=_QUANTITIES, limits=_QUANTITIES),
    "ScalingBehavior": _closed(
        "HorizontalPodAutoscalerBehavior of Kubernetes.",
        scaleUp={"$ref": "#/$defs/ScalingRules"},
        scaleDown={"$ref": "#/$defs/ScalingRules"},
    ),
    "ScalingRules": _closed(
        "HPAScalingRules of Kubernetes.",
        stabilizationWindowSeconds=_INTEGER,
        selectPolicy={"type": "string", "enum": ["Max", "Min", "Disabled"]},
        tolerance={"type": ["string", "number"]},
        policies={
            "type": "array",
            "items": _closed(
                "HPAScalingPolicy of Kubernetes.",
                *("type", "value", "periodSeconds"),
                type={"type": "string", "enum": ["Pods", "Percent"]},
                value=_INTEGER,
                periodSeconds=_INTEGER,
            ),
        },
    ),
    "SeccompProfile": _closed(
        "SeccompProfile or AppArmorProfile of Kubernetes.",
        "type",
        type={"type": "string", "enum": ["RuntimeDefault", "Localhost", "Unconfined"]},
        localhostProfile=_NAME,
    ),
    "SecretKey": _closed("An existing Secret, and a key in it.", "name", "key", name=_NAME, key=_NAME),
    "SecretStoreReference": _closed(
        "A store of the External Secrets Operator.",
        name=_NAME,
        kind={"type": "string", "enum": ["SecretStore", "ClusterSecretStore"]},
    ),
    "SecurityContext": _closed(
        "SecurityContext of Kubernetes, of a container.",
        allowPrivilegeEscalation=_BOOLEAN,
        privileged=_BOOLEAN,
        readOnlyRootFilesystem=_BOOLEAN,
        runAsNonRoot=_BOOLEAN,
        runAsUser=_INTEGER,
        runAsGroup=_INTEGER,
        procMount=_NAME,
        capabilities=_closed(
            "Capabilities of Kubernetes.",
            add={"type": "array", "items": _NAME},
            drop={"type": "array", "items": _NAME},
        ),
        seccompProfile={"$ref": "#/$defs/SeccompProfile"},
        appArmorProfile={"$ref": "#/$defs/SeccompProfile"},
        seLinuxOptions=_LABELS,
    ),
    "Toleration": _closed(
        "Toleration of Kubernetes.",
        key={"type": "string"},
        operator={"type": "string"},
        value={"type": "string"},
        effect={"type": "string", "enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
        tolerationSeconds={"type": "integer"},
    ),
    "TopologySpreadConstraint": _closed(
        "TopologySpreadConstraint of Kubernetes.",
        *("maxSkew", "topologyKey", "whenUnsatisfiable"),
        maxSkew=_INTEGER,
        minDomains=_INTEGER,
        topologyKey=_NAME,
        whenUnsatisfiable={"type": "string", "enum": ["DoNotSchedule", "ScheduleAnyway"]},
        labelSelector={"$ref": "#/$defs/LabelSelector"},
        matchLabelKeys={"type": "array", "items": _NAME},
        nodeAffinityPolicy=_NAME,
        nodeTaintsPolicy=_NAME,
    ),
    "Volume": _open("Volume of Kubernetes", "name"),
    "VolumeMount": _closed(
        "VolumeMount of Kubernetes.",
        *("name", "mountPath"),
        name=_NAME,
        mountPath=_NAME,
        subPath=_NAME,
        subPathExpr=_NAME,
        readOnly=_BOOLEAN,
        recursiveReadOnly=_NAME,
        mountPropagation=_NAME,
    ),
}
