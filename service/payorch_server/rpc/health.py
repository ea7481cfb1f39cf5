from typing import Final

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

SERVICE: Final = "payorch.v1.PaymentOrchestrationService"
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def tenant_service(tenant: str) -> str:
    """Return the health name of a tenant."""
    return f"tenant/{tenant}"


class Health:
    """Who is ready: each tenant by itself, the service when at least one tenant is."""

    def __init__(self, tenants: tuple[str, ...]) -> None:
        self.servicer = health_aio.HealthServicer()
        self._tenants = tenants
        self._warm: set[str] = set()
        self._draining = False

    @property
    def ready(self) -> bool:
        """Whether calls should be sent here."""
        return bool(self._warm) and not self._draining

    @property
    def states(self) -> dict[str, bool]:
        """Whether each tenant is ready."""
        return {tenant: tenant in self._warm and not self._draining for tenant in self._tenants}

    async def start(self) -> None:
        """Publish NOT_SERVING; gRPC's servicer is born SERVING."""
        await self._publish()

    async def warmed(self, tenant: str) -> None:
        """Note that a tenant works; one that is gone meanwhile counts for nothing."""
        if tenant not in self._tenants:
            return
        self._warm.add(tenant)
        await self._publish()

    async def replace(self, tenants: tuple[str, ...]) -> None:
        """Have other tenants; those that are gone are not known any more, new ones are not ready yet."""
        gone = set(self._tenants) - set(tenants)
        self._tenants = tenants
        self._warm &= set(tenants)
        await self._publish()
        for tenant in gone:
            await self.servicer.set(tenant_service(tenant), _NOT_SERVING)

    async def drain(self) -> None:
        """Say NOT_SERVING for everything from now on, to watchers as well."""
        self._draining = True
        await self._publish()
        await self.servicer.enter_graceful_shutdown()

    async def _publish(self) -> None:
        for name in ("", SERVICE):
            await self.servicer.set(name, _SERVING if self.ready else _NOT_SERVING)
        for tenant, warm in self.states.items():
            await self.servicer.set(tenant_service(tenant), _SERVING if warm else _NOT_SERVING)
