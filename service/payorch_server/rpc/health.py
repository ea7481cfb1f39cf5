from typing import Final

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

SERVICE: Final = "payorch.v1.PaymentOrchestrationService"
MONEY: Final = f"{SERVICE}/money"
"""The health name of calls that move money: the service can be healthy while they are refused."""
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def tenant_service(tenant: str) -> str:
    """Return the health name of a tenant."""
    return f"tenant/{tenant}"


class Health:
    """Readiness: of each tenant, and of the service, which is ready when at least one tenant is."""

    def __init__(self, tenants: tuple[str, ...]) -> None:
        self.servicer = health_aio.HealthServicer()
        self._tenants = tenants
        self._ready: set[str] = set()
        self._money = False
        self._draining = False

    @property
    def ready(self) -> bool:
        """Whether calls should be sent here."""
        return bool(self._ready) and not self._draining

    @property
    def states(self) -> dict[str, bool]:
        """Whether each tenant is ready."""
        return {tenant: tenant in self._ready and not self._draining for tenant in self._tenants}

    async def start(self) -> None:
        """Publish NOT_SERVING; gRPC's servicer starts with SERVING."""
        await self._publish()

    async def set_ready(self, tenant: str) -> None:
        """Mark a tenant as ready; one that was removed meanwhile is ignored."""
        if tenant not in self._tenants:
            return
        self._ready.add(tenant)
        await self._publish()

    async def set_money(self, *, accepted: bool) -> None:
        """Publish whether calls that move money are sent at present."""
        self._money = accepted
        await self._publish()

    async def replace(self, tenants: tuple[str, ...]) -> None:
        """Replace the tenants: removed ones become NOT_SERVING, new ones are not ready yet."""
        removed = set(self._tenants) - set(tenants)
        self._tenants = tenants
        self._ready &= set(tenants)
        await self._publish()
        for tenant in removed:
            await self.servicer.set(tenant_service(tenant), _NOT_SERVING)

    async def drain(self) -> None:
        """Publish NOT_SERVING for everything from now on, to watchers as well."""
        self._draining = True
        await self._publish()
        await self.servicer.enter_graceful_shutdown()

    async def _publish(self) -> None:
        for name in ("", SERVICE):
            await self.servicer.set(name, _SERVING if self.ready else _NOT_SERVING)
        await self.servicer.set(MONEY, _SERVING if self.ready and self._money else _NOT_SERVING)
        for tenant, is_ready in self.states.items():
            await self.servicer.set(tenant_service(tenant), _SERVING if is_ready else _NOT_SERVING)
