"""Names of what the fleet consists of, and of those who call it."""

from typing import Final

from programs.cluster.helm import RELEASE
from programs.cluster.node import DOMAIN

NAMESPACE: Final = "payorch-under-load"
SERVICE: Final = f"{RELEASE}-payorch"
HUB: Final = f"{SERVICE}-upc"
HEADLESS: Final = f"{SERVICE}-headless.{NAMESPACE}.svc.{DOMAIN}"
"""Under which clients find every pod."""
ENVOY: Final = f"envoy.{NAMESPACE}.svc.{DOMAIN}"
GRPC_PORT: Final = 50051
HUB_PORT: Final = 8443
ENVOY_PORT: Final = 8443
REDIS_PORT: Final = 6379
ADMIN_PORT: Final = 9464

SHOP: Final = "spiffe://example.org/ns/shop/sa/checkout"
"""Shows a certificate, to pods and to Envoy."""
NEWCOMER: Final = "spiffe://example.org/ns/shop/sa/newcomer"
"""Shows a certificate, and is in the policy only after its change."""
GATEWAY: Final = "spiffe://example.org/ns/gateway/sa/envoy"
BATCH: Final = "batch/nightly"
"""The caller that the service makes of a token's subject."""
