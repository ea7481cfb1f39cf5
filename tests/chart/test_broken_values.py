"""Values that the schema refuses, each with its path and the rule that it breaks, in words that need no schema."""

from typing import Any

import pytest

from chart.rendering import HELMS, ChartError, render_text

pytestmark = pytest.mark.timeout(60)

TO = {"tenant": "default", "gateway": "zuora_default"}
BROKEN = [
    ({"replica": 2}, "/replica", "value must be 'of a key that exists; did you mean replicas?'", "a misspelt key"),
    (
        {"replicaCount": 2},
        "/replicaCount",
        "value must be 'of a key that exists; did you mean replicas?'",
        "a name that other charts have",
    ),
    ({"something": 2}, "", "additional properties 'something' not allowed", "a key that is like no other"),
    (
        {"config": {"grpc": {"listn": "0.0.0.0:1"}}},
        "/config/grpc/listn",
        "value must be 'of a key that exists; did you mean listen?'",
        "a misspelt setting",
    ),
    (
        {"resources": {"limits": {"memory": "5"}}},
        "/resources/limits/memory",
        "'5' does not match pattern",
        "five bytes of memory",
    ),
    ({"replicas": "2"}, "/replicas", "got string, want integer", "a wrong type"),
    ({"replicas": -1}, "/replicas", "minimum: got -1, want 0", "no number of instances"),
    ({"image": {"digest": "latest"}}, "/image/digest", "'latest' does not match pattern", "not a digest"),
    (
        {"image": {"pullPolicy": "Sometimes"}},
        "/image/pullPolicy",
        "value must be one of 'Always', 'IfNotPresent', 'Never'",
        "not a policy",
    ),
    (
        {"config": {"grpc": {"max_request_byte": 1}}},
        "/config/grpc/max_request_byte",
        "value must be 'of a key that exists; did you mean max_request_bytes?'",
        "a misspelt setting of the service",
    ),
    (
        {"config": {"grpc": {"listen": "127.0.0.1:50051"}}},
        "/config/grpc/listen",
        "'127.0.0.1:50051' does not match pattern",
        "nobody could reach the pod",
    ),
    (
        {"config": {"grpc": {"drain_wait_s": None}}},
        "/config/grpc",
        "missing property 'drain_wait_s'",
        "the grace period needs it",
    ),
    (
        {"config": {"grpc": {"tls": {"certificate_file": "/x"}}}},
        "/config/grpc/tls",
        "missing property 'key_file'",
        "half a certificate",
    ),
    ({"config": {"access": None}}, "/config", "missing property 'access'", "everybody could do everything"),
    (
        {"config": {"store": {"kind": "postgres"}}},
        "/config/store/kind",
        "value must be one of 'memory', 'redis'",
        "a store that does not exist",
    ),
    (
        {"config": {"diagnostics": {"listen": "50052"}}},
        "/config/diagnostics/listen",
        "'50052' does not match pattern",
        "a port without an address",
    ),
    (
        {"config": {"tenants": {"default": {"environment": "us_production"}}}},
        "/config/tenants/default/environment",
        "value must be one of '', 'us1_production', 'us2_production'",
        "an environment that does not exist",
    ),
    (
        {"config": {"tenants": {"default": {"client_id": "x"}}}},
        "/config/tenants/default/client_id",
        "minLength: got 1, want 36",
        "not an OAuth client id of Zuora",
    ),
    (
        {"config": {"tenants": {"default": {"client_secret_file": "/x"}}}},
        "/config/tenants/default",
        "additional properties 'client_secret_file' not allowed",
        "the chart sets the files",
    ),
    (
        {"config": {"routing": [{"name": "x"}]}},
        "/config/routing/0",
        "missing property 'to'",
        "a rule that leads nowhere",
    ),
    (
        {"config": {"routing": [{"name": "x", "to": TO, "when": {"amount": {"currency": "USD", "min": 5}}}]}},
        "/config/routing/0/when/amount/min",
        "got number, want string",
        "an amount that YAML would round",
    ),
    (
        {"clientSecrets": {"default": {"value": "hunter2"}}},
        "/clientSecrets/default",
        "additional properties 'value' not allowed",
        "secrets are named, not given",
    ),
    (
        {"upc": {"config": {"upc": {"hub": {}}}}},
        "/upc/config/upc/hub",
        "value must be 'of a key that exists; did you mean hubs?'",
        "a misspelt setting of the hub",
    ),
    (
        {"upc": {"config": {"tenants": {}}}},
        "/upc/config",
        "additional properties 'tenants' not allowed",
        "the hub has no OAuth clients",
    ),
    (
        {"upc": {"config": {"upc": {"listen": "127.0.0.1:8443"}}}},
        "/upc/config/upc/listen",
        "'127.0.0.1:8443' does not match pattern",
        "no proxy could reach the hub",
    ),
    (
        {"upc": {"config": {"upc": {"drain_wait_s": None}}}},
        "/upc/config/upc",
        "missing property 'drain_wait_s'",
        "the grace period of the hub needs it",
    ),
    (
        {"upc": {"config": {"upc": {"gateways": {"a": {"hub": "main", "names": ["a"], "types": ["a"]}}}}}},
        "/upc/config/upc/gateways/a",
        "missing property 'target'",
        "a gateway without an address",
    ),
    ({"upc": {"credentialsSecret": ""}}, "/upc/credentialsSecret", "minLength: got 0, want 1", "no password"),
    ({"upc": {"host": "https://x"}}, "/upc/host", "'https://x' does not match pattern", "an address is no name"),
    (
        {"upc": {"networkPolicy": {"from": []}}},
        "/upc/networkPolicy/from",
        "minItems: got 0, want 1",
        "the whole cluster would get in",
    ),
    (
        {"upc": {"networkPolicy": {"plugins": []}}},
        "/upc/networkPolicy/plugins",
        "minItems: got 0, want 1",
        "the hub would reach everything",
    ),
    (
        {"upc": {"route": {"parents": [{"namespace": "x"}]}}},
        "/upc/route/parents/0",
        "missing property 'name'",
        "a Gateway without a name",
    ),
    ({"networkPolicy": {"callers": []}}, "/networkPolicy/callers", "minItems: got 0, want 1", "everybody would get in"),
    (
        {"networkPolicy": {"callers": [{"podSelectr": {}}]}},
        "/networkPolicy/callers/0/podSelectr",
        "value must be 'of a key that exists; did you mean podSelector?'",
        "a misspelt key of Kubernetes",
    ),
    (
        {"networkPolicy": {"egress": {"zuora": [{"cidr": "rest.zuora.com"}]}}},
        "/networkPolicy/egress/zuora/0/cidr",
        "'rest.zuora.com' does not match pattern",
        "a NetworkPolicy knows no names",
    ),
    (
        {"networkPolicy": {"egress": {"dns": []}}},
        "/networkPolicy/egress/dns",
        "minItems: got 0, want 1",
        "the pods could ask anybody",
    ),
    (
        {"autoscaling": {"cpuUtilization": "70%"}},
        "/autoscaling/cpuUtilization",
        "got string, want integer",
        "a percent",
    ),
    ({"autoscaling": {"minReplicas": 0}}, "/autoscaling/minReplicas", "minimum: got 0, want 1", "nobody would answer"),
    ({"emulator": {"enabled": "no"}}, "/emulator/enabled", "got string, want boolean", "a text is true"),
    (
        {"resources": {"request": {}}},
        "/resources/request",
        "value must be 'of a key that exists; did you mean requests?'",
        "no request at all",
    ),
    ({"podLabels": {"a": 1}}, "/podLabels/a", "got number, want string", "Kubernetes refuses it later"),
    ({"serviceMonitor": {"interval": "5m"}}, "/serviceMonitor/interval", "'5m' does not match", "alerts see no rates"),
    (
        {"serviceMonitor": {"scrapers": []}},
        "/serviceMonitor/scrapers",
        "minItems: got 0, want 1",
        "everybody would get in",
    ),
    (
        {"docsUrl": 'https://x/"'},
        "/docsUrl",
        "'https://x/\"' does not match pattern",
        "a quote would end the text it is put into",
    ),
]


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize(
    ("values", "path", "rule", "reason"), BROKEN, ids=[f"{path or '/'}-{reason}" for _, path, _, reason in BROKEN]
)
def test_value_is_refused_in_one_line(values: dict[str, Any], path: str, rule: str, reason: str, helm: str) -> None:
    """Which names the path and the rule; nothing else is said."""
    with pytest.raises(ChartError) as refusal:
        render_text(values, helm=helm)

    (said,) = [line.strip() for line in str(refusal.value).splitlines() if line.strip().startswith("- at ")]
    assert said.startswith(f"- at '{path}': {rule}")
