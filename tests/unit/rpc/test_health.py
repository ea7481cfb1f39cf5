import pytest
from grpc_health.v1 import health_pb2
from payorch_server.rpc.health import SERVICE, Health, tenant_service

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def states(health: Health) -> dict[str, int]:
    """Ask for every name as a prober does."""
    names = ["", SERVICE, tenant_service("acme"), tenant_service("solo")]
    answers = [await health.servicer.Check(health_pb2.HealthCheckRequest(service=name), None) for name in names]
    return {name: answer.status for name, answer in zip(names, answers, strict=True)}


@pytest.mark.asyncio
class TestHealth:
    """Ready means that at least one tenant works."""

    async def test_is_born_not_serving(self) -> None:
        """GRPC's own servicer is born SERVING."""
        health = Health(("acme", "solo"))

        await health.start()

        assert set((await states(health)).values()) == {NOT_SERVING}
        assert (health.ready, health.states) == (False, {"acme": False, "solo": False})

    async def test_serves_with_its_first_tenant(self) -> None:
        """The other tenant says for itself that it does not work."""
        health = Health(("acme", "solo"))
        await health.start()

        await health.set_ready("acme")

        assert await states(health) == {
            "": SERVING,
            SERVICE: SERVING,
            "tenant/acme": SERVING,
            "tenant/solo": NOT_SERVING,
        }
        assert health.states == {"acme": True, "solo": False}

    async def test_does_not_trust_a_tenant_that_comes_back(self) -> None:
        """Its credentials may be others than those that worked before it was removed."""
        health = Health(("acme", "solo"))
        await health.start()
        for tenant in ("acme", "solo"):
            await health.set_ready(tenant)

        await health.replace(("acme",))
        await health.replace(("acme", "solo"))

        assert (await states(health))["tenant/solo"] == NOT_SERVING
        assert health.states == {"acme": True, "solo": False}

    async def test_does_not_count_a_tenant_that_is_gone(self) -> None:
        """Its token may arrive after it was removed."""
        health = Health(("acme", "solo"))
        await health.start()
        await health.replace(("acme",))

        await health.set_ready("solo")

        assert not health.ready
        assert set((await states(health)).values()) == {NOT_SERVING}

    async def test_serves_nothing_once_it_drains(self) -> None:
        """Also when a tenant becomes ready after that."""
        health = Health(("acme", "solo"))
        await health.start()
        await health.set_ready("acme")

        await health.drain()
        await health.set_ready("solo")

        assert set((await states(health)).values()) == {NOT_SERVING}
        assert (health.ready, health.states) == (False, {"acme": False, "solo": False})
