"""The emulator in test namespaces, which must never be taken for Zuora."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
from harness.requests import new_request_id, usd
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.zuora.settings import ENVIRONMENTS
from zuora_emulator import Emulator, cli, cli_serve, seed, serving

from chart.pod import started
from chart.rendering import CHART, ChartError, config_of, containers_of, of_kind, pod_of, render

pytestmark = pytest.mark.timeout(60)
EMULATOR = CHART / "ci/emulator-values.yaml"
PRODUCTION = [name for name in ENVIRONMENTS if name.endswith("_production")]


def emulator_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the emulator's container."""
    (emulator,) = [one for one in containers_of(pod_of(objects)) if one["name"] == "emulator"]
    return emulator


class TestEmulator:
    def test_is_off_by_default(self) -> None:
        assert [one["name"] for one in containers_of(pod_of(render()))] == ["payorch"]

    def test_starts_before_the_service_and_ends_after_it(self) -> None:
        """As a sidecar of Kubernetes."""
        emulator = emulator_of(render(scenario=EMULATOR))

        assert emulator["restartPolicy"] == "Always"
        assert emulator["startupProbe"]["httpGet"] == {"path": "/_emulator/health", "port": "emulator"}

    def test_understands_its_arguments(self) -> None:
        arguments = emulator_of(render(scenario=EMULATOR))["args"]

        parsed = cli._parser().parse_args(arguments)

        assert (parsed.host, parsed.port) == ("0.0.0.0", cli.DEFAULT_PORT)  # noqa: S104 - in a pod
        assert cli_serve._emulator(parsed).settings.accept_v1_sessions_path is True

    def test_is_the_host_of_every_tenant(self) -> None:
        objects = render({"emulator": {"port": 9999}}, scenario=EMULATOR)

        (tenant,) = config_of(objects)["tenants"].values()
        assert tenant["base_url"] == "http://127.0.0.1:9999"
        assert "environment" not in tenant
        assert tenant["client_id"] == seed.CLIENT_B.client_id
        assert emulator_of(objects)["ports"] == [{"name": "emulator", "containerPort": 9999}]

    def test_can_be_looked_into_by_callers(self) -> None:
        objects = render(scenario=EMULATOR)
        (service,) = [one for one in of_kind(objects, "Service") if one["metadata"]["name"].endswith("-emulator")]
        (policy,) = of_kind(objects, "NetworkPolicy")

        assert [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [(9080, "emulator")]
        assert [port["port"] for port in policy["spec"]["ingress"][0]["ports"]] == ["grpc", "emulator"]

    @pytest.mark.asyncio
    async def test_is_called_by_the_service_as_configured(self, tmp_path: Path) -> None:
        """With the files of the ConfigMap, beside an emulator where the sidecar would be."""
        emulator = Emulator()
        async with serving(emulator) as url:
            objects = await asyncio.to_thread(render, {"emulator": {"port": urlsplit(url).port}}, scenario=EMULATOR)
            request = service_pb2.CreateSessionRequest(request_id=new_request_id())
            request.one_time_payment.amount.CopyFrom(usd(1))
            request.one_time_payment.account_id = seed.ACCOUNT_SINGLE.id

            async with (
                started(objects, tmp_path) as application,
                grpc.aio.insecure_channel(f"127.0.0.1:{application.grpc_port}") as channel,
            ):
                await service_grpc.PaymentOrchestrationServiceStub(channel).CreateSession(request, timeout=10)

        assert emulator.ledger.count("sessions") == 1

    @pytest.mark.parametrize("environment", PRODUCTION)
    def test_never_stands_in_for_production(self, environment: str) -> None:
        tenants = {"default": {"environment": environment}}

        with pytest.raises(ChartError, match=f"tenant default is of {environment}"):
            render({"config": {"tenants": tenants}}, scenario=EMULATOR)

    def test_production_is_what_ends_so(self) -> None:
        """The chart goes by the name."""
        assert len(PRODUCTION) == 4
        assert all("sandbox" in name for name in set(ENVIRONMENTS) - set(PRODUCTION))
