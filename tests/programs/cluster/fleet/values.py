"""The chart's values for the fleet: three replicas with TLS, Redis over TLS, and the hub."""

from typing import Any, Final

from zuora_emulator import seed

from programs.cluster.fleet import names
from programs.cluster.fleet.neighbours import mesh_peers
from programs.cluster.live import IMAGE

REPLICAS: Final = 3
HUB_REPLICAS: Final = 2
_MAX_IN_FLIGHT: Final = 9
"""Of each replica: the tenant's 40 for three replicas and the one more of a rollout."""
_GATEWAY: Final = "cards"
_TLS: Final = {
    "certificate_file": "/etc/payorch/tls/tls.crt",
    "key_file": "/etc/payorch/tls/tls.key",
    "client_ca_file": "/etc/payorch/tls/ca.crt",
}
_RESOURCES: Final = {"requests": {"cpu": "100m"}}


def base(*, keys: list[str], hub_keys: list[str], hub: dict[str, Any]) -> dict[str, Any]:
    """Return the values without the policy.

    Args:
        keys: Names of the service's keys, the current one first.
        hub_keys: The same of the hub.
        hub: The hubs and gateways.
    """
    repository, _, tag = IMAGE.rpartition(":")
    tenant = {
        "environment": None,
        "base_url": "https://zuora",
        "client_id": seed.CLIENT_A.client_id,
        "entities": {"us": seed.ENTITY_US},
        "gateways": {_GATEWAY: {"id": seed.GATEWAY_US.id, "label": seed.GATEWAY_US.name}},
        "max_in_flight": _MAX_IN_FLIGHT,
    }
    jwt = {
        "key_set_file": "/etc/payorch/key-set/jwks.json",
        "issuer": "https://issuer.test",
        "audience": "payorch",
        "subject_prefix": names.BATCH.partition("/")[0] + "/",
    }
    return {
        "replicas": REPLICAS,
        "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
        "resources": _RESOURCES,
        "tlsSecret": "payorch-tls",
        "keySetConfigMap": "payorch-key-set",
        "config": {
            "grpc": {"plaintext_beyond_loopback": False, "tls": _TLS},
            "identity": {"jwt": {"corp": jwt}, "mesh": mesh_peers()},
            "zuora_http": {"ca_file": "/etc/payorch/fleet/ca.crt", "extra_hosts": ["zuora"]},
            "store": _store(database=0),
            "intents": {"keys": _keys(keys)},
            "tenants": {"default": tenant},
        },
        "upc": {
            "enabled": True,
            "replicas": HUB_REPLICAS,
            "declareFirstStart": True,
            "resources": _RESOURCES,
            "config": {"upc": hub, "store": _store(database=1), "keys": _keys(hub_keys)},
        },
    }


def policy(*, rule: str, newcomer: bool) -> dict[str, Any]:
    """Return who may call and which rule routes; both are applied without a restart.

    Args:
        rule: Name of the rule that routes everything.
        newcomer: Whether the newcomer may call.
    """
    callers = [names.SHOP, f"jwt:{names.BATCH.partition('/')[0]}/*", *([names.NEWCOMER] if newcomer else [])]
    permitted = {"rpcs": ["*"], "tenants": {"*": {"entities": ["*"], "orgs": ["*"]}}, "move_money": True}
    return {
        "config": {
            "access": {
                "callers": [{"caller": caller, "namespace": namespace_of(caller), **permitted} for caller in callers]
            },
            "routing": [{"name": rule, "to": {"tenant": "default", "entity": "us", "gateway": _GATEWAY}}],
        }
    }


def namespace_of(caller: str) -> str:
    """Return the namespace of a caller's intents."""
    return "batch" if caller.startswith("jwt:") else "shop"


def _store(*, database: int) -> dict[str, Any]:
    return {
        "url": f"rediss://redis:{names.REDIS_PORT}/{database}",
        "ca_file": "/etc/payorch/fleet/ca.crt",
        "password_file": "/etc/payorch/fleet/redis-password",
    }


def _keys(names_of_keys: list[str]) -> list[dict[str, str]]:
    return [{"id": name, "file": f"/etc/payorch/fleet/key-{name}"} for name in names_of_keys]
