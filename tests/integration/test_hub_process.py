"""The hub as a process: its command, its probes, its drain, and how it applies changed files."""

import asyncio
import itertools
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from harness.authority import Authority
from harness.hub_configuration import PASSWORD, changed
from harness.hub_process import payment_of, running_hub, start_hub_command, write_hub
from harness.plugin import Behaviour, running_plugin
from harness.ports import free_port
from harness.service_process import COMMAND
from harness.spans import KeptSpans
from metric_names import SERIES
from payorch_server.upc.observation import span_ids_of_key
from payorch_server.upc.request import Operation, RequestName, idempotency_key
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

CANARY = "CanaryOfAToken7f3a"


@pytest.mark.asyncio
@pytest.mark.timeout(60)
class TestTheProcess:
    """`payorch-server upc serve`."""

    async def test_answers_what_is_in_progress_when_it_is_told_to_end(self, tmp_path: Path) -> None:
        """It is not ready any more, the plug-in's late answer reaches Zuora, and the status is 0."""
        async with running_plugin() as plugin:
            hold = asyncio.Event()
            plugin.plugin.behaviours["slow"] = Behaviour(hold=hold)
            file = write_hub(tmp_path, plugin.target, {"upc.drain_wait_s": 2.0})
            process, hub = await start_hub_command(file)
            ready = await hub.until_connected()
            late = asyncio.ensure_future(hub.send(payment_of(token="slow")))
            await plugin.plugin.wait_for_calls(1)
            process.send_signal(signal.SIGTERM)
            while (draining := await hub.probe()).status_code == 200:
                await asyncio.sleep(0.01)
            hold.set()
            answer = await late
            _, log = await process.communicate()

        assert (ready["ready"], ready["draining"], ready["epoch"]["by"]) == (True, False, "serve")
        assert (draining.status_code, draining.json()["draining"]) == (503, True)
        assert (answer.status_code, answer.json()["responseCode"]) == (200, "Approved")
        assert process.returncode == 0
        events = [json.loads(line)["event"] for line in log.splitlines()]
        assert [event for event in events if event in {"draining", "upc_call", "stopped"}] == [
            "draining",
            "upc_call",
            "stopped",
        ]

    async def test_says_in_a_sentence_why_it_cannot_listen(self, tmp_path: Path) -> None:
        """With status 1."""
        taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = taken.sockets[0].getsockname()[1]
        file = write_hub(tmp_path, "127.0.0.1:1", {"upc.listen": f"127.0.0.1:{port}"})

        ended = await asyncio.to_thread(
            subprocess.run,
            [COMMAND, "upc", "serve", "--config", str(file)], capture_output=True, text=True, check=False,
        )  # fmt: skip
        taken.close()

        assert ended.returncode == 1
        assert f"upc.listen: cannot listen on 127.0.0.1:{port}: " in ended.stderr

    async def test_refuses_a_bad_configuration(self, tmp_path: Path) -> None:
        """With every problem, and status 2."""
        file = write_hub(tmp_path, "nowhere", {"upc.allow": ["x"]})

        ended = await asyncio.to_thread(
            subprocess.run,
            [COMMAND, "upc", "serve", "--config", str(file)], capture_output=True, text=True, check=False,
        )  # fmt: skip

        assert ended.returncode == 2
        assert f"{file}: 2 problems\n  - {file}:" in ended.stderr
        assert ": upc.allow.0: " in ended.stderr


@pytest.mark.asyncio
class TestWhatItReports:
    """Spans, log and metrics of a hub with its real parts."""

    async def test_is_one_trace_per_send_and_a_pointer_to_it(self, tmp_path: Path) -> None:
        """Server span, client span of the plug-in's call, whose `traceparent` the plug-in gets; the key leads there."""
        spans = KeptSpans()
        async with running_hub(tmp_path, span_processors=[spans]) as hub:
            await hub.endpoint.until_connected()
            with capture_logs() as log:
                await hub.endpoint.send(payment_of(token=CANARY))
                await hub.endpoint.send(payment_of(token=CANARY))

        name = RequestName(str(payment_of()["tenantId"]), Operation.PAYMENT, "pay-1")
        records = [entry for entry in log if entry["event"] == "upc_call"]
        servers = [span for span in spans.spans if span.name == "POST /upc/{hub}"]
        (call,) = [span for span in spans.spans if span.name.endswith("/ProcessPayment")]
        pointers = [span for span in spans.spans if span.context.trace_id == span_ids_of_key(idempotency_key(name))[0]]
        assert call.parent is not None
        assert call.parent.span_id == servers[0].context.span_id
        assert [server.context for server in servers] == [link.context for span in pointers for link in span.links]
        assert [f"{server.context.trace_id:032x}" for server in servers] == [entry["trace_id"] for entry in records]
        assert [(False, 200), (True, 200)] == [(entry["replayed"], entry["status"]) for entry in records]
        written = "".join(span.to_json() for span in spans.spans) + str(log)
        assert CANARY not in written
        assert PASSWORD not in written

    async def test_are_the_series_of_the_table(self, tmp_path: Path) -> None:
        """None that it does not know, and all of the hub's own."""
        async with running_hub(tmp_path) as hub:
            await hub.endpoint.until_connected()
            hub.plugin.plugin.behaviours["odd"] = Behaviour(code="x" * 21)
            await hub.endpoint.send(payment_of("pay-1", token="odd"))
            # Another request under the same id needs people.
            await hub.endpoint.send(changed(payment_of("pay-1", token="odd"), {"payment.amount": "7"}))
            await hub.endpoint.send(payment_of("pay-2"), password="wrong")
            # Another payment method under an id that is known.
            await hub.endpoint.send(
                payment_of("pay-1") | {"paymentMethod": payment_of("pay-1")["paymentMethod"] | {"id": "x"}}
            )
            text = (await hub.endpoint.probe("metrics")).text

        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        names = {sample.name for sample in samples if not sample.name.endswith("_created")}
        assert names - {"target_info"} <= set(SERIES)
        found: dict[str, set[str]] = {}
        for sample in samples:
            if sample.name.startswith("payorch_upc_") and not sample.name.endswith("_created"):
                labels = {label for label in sample.labels if not label.startswith("otel_scope_")}
                found.setdefault(sample.name, set()).update(labels)
        assert found == {name: set(labels) for name, labels in SERIES.items() if name.startswith("payorch_upc_")}

    async def test_is_an_open_record_until_it_is_settled(self, tmp_path: Path) -> None:
        """Its gateway charged, and its answer was lost; the next send looks it up."""
        async with running_hub(tmp_path) as hub:
            await hub.endpoint.until_connected()
            hub.plugin.plugin.behaviours["lost"] = Behaviour(error_after=grpc.StatusCode.UNAVAILABLE)
            first = await hub.endpoint.send(payment_of(token="lost"))
            doubtful = (await hub.endpoint.probe("metrics")).text
            second = await hub.endpoint.send(payment_of(token="lost"))
            settled = (await hub.endpoint.probe("metrics")).text

        def open_records(text: str) -> float:
            line = next(line for line in text.splitlines() if line.startswith("payorch_upc_open_records{"))
            return float(line.rpartition(" ")[2])

        assert (503, 200) == (first.status_code, second.status_code)
        assert (1.0, 0.0) == (open_records(doubtful), open_records(settled))
        assert len(hub.plugin.plugin.effects) == 1


@pytest.mark.asyncio
class TestWarnings:
    """What is allowed and unfit for production is a warning at the start."""

    @pytest.mark.parametrize(
        ("over", "expected"),
        [
            ({}, {"store_in_memory"}),
            (
                {"upc.listen": "0.0.0.0:0", "upc.plaintext_behind_proxy": True},
                {"store_in_memory", "upc_open_to_all_addresses"},
            ),
            (
                {"upc.listen": "0.0.0.0:0", "upc.plaintext_behind_proxy": True, "upc.allow": ["127.0.0.0/8"]},
                {"store_in_memory"},
            ),
        ],
        ids=["loopback", "all", "listed"],
    )
    async def test_name_it(self, tmp_path: Path, over: dict[str, Any], expected: set[str]) -> None:
        """And nothing that is fit."""
        with capture_logs() as log:
            async with running_hub(tmp_path, over=over):
                pass

        names = {"store_in_memory", "upc_open_to_all_addresses"}
        assert expected == {str(entry["event"]) for entry in log if entry["log_level"] == "warning"} & names


@pytest.mark.asyncio
class TestChangedFiles:
    """A running hub applies what it can, and reports what it cannot."""

    async def test_are_applied_to_the_next_request(self, tmp_path: Path) -> None:
        """Another generation of the password beside the old one, then another content of its file."""
        (tmp_path / "new").write_text("new-password")
        ids = itertools.count()
        async with running_hub(tmp_path, watched=True) as hub:
            await hub.endpoint.until_connected()

            async def status(password: str) -> int:
                # Each time another payment: one that was refused stays refused.
                return (await hub.endpoint.send(payment_of(f"pay-{next(ids)}"), password=password)).status_code

            before = await status("new-password")
            generations = [{"user": "zuora", "password_file": str(tmp_path / name)} for name in ("new", "password")]
            hub.change({"upc.hubs.acme.credentials": generations})
            async with asyncio.timeout(15):
                while await status("new-password") != 200:
                    await asyncio.sleep(0.25)
            old = await status(PASSWORD)
            (tmp_path / "new").write_text("newer-password")
            async with asyncio.timeout(15):
                while await status("newer-password") != 200:
                    await asyncio.sleep(0.25)

        assert (401, 200) == (before, old)

    async def test_switch_a_gateway_off(self, tmp_path: Path) -> None:
        """New payments are refused without a call; one that was made before is replayed."""
        ids = itertools.count()
        async with running_hub(tmp_path, watched=True) as hub:
            await hub.endpoint.until_connected()
            first = await hub.endpoint.send(payment_of("made-before"))
            hub.change({"upc.gateways.acme.enabled": False})
            async with asyncio.timeout(15):
                while (refused := await hub.endpoint.send(payment_of(f"pay-{next(ids)}"))).status_code == 200:
                    await asyncio.sleep(0.1)
            charged = len(hub.plugin.plugin.effects)
            again = await hub.endpoint.send(payment_of("made-before"))

        assert (400, "The gateway is switched off.") == (refused.status_code, refused.json()["gatewayResponseMessage"])
        assert (200, first.json()) == (again.status_code, again.json())
        assert charged == next(ids)

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"upc.gateways.acme.types": ["AmazonPay"]}, "upc.gateways.acme.types.0: must be a full type"),
            ({"upc.listen": f"127.0.0.1:{free_port()}"}, "upc.listen: has changed, which needs a restart"),
        ],
        ids=["bad", "fixed"],
    )
    async def test_are_refused_as_a_whole(self, tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
        """Readiness and metrics say so until the files are good again; requests are served as before."""
        async with running_hub(tmp_path, watched=True) as hub:
            await hub.endpoint.until_connected()
            good = hub.file.read_text()

            async def until(holds: Callable[[list[str]], bool]) -> list[str]:
                async with asyncio.timeout(15):
                    while not holds(found := (await hub.endpoint.probe()).json()["refused_change"]):
                        await asyncio.sleep(0.02)
                return list(found)

            hub.change(changes | {"upc.hubs.acme.tenants": ["other"]})
            (found,) = await until(bool)
            metrics = (await hub.endpoint.probe("metrics")).text
            served = await hub.endpoint.send(payment_of())
            hub.file.write_text(good)
            await until(lambda problems: not problems)

        assert found.startswith(problem)
        assert served.status_code == 200
        assert 'payorch_configuration_reloads_total{otel_scope_name="payorch"' in metrics
        assert 'result="refused"} 1.0' in metrics

    async def test_renew_the_certificate(self, tmp_path: Path) -> None:
        """New connections see it; readiness stays."""
        authority = Authority()
        certificate, key = authority.issue("first.test").write(tmp_path, "hub")
        tls = {"certificate_file": certificate, "key_file": key}
        async with running_hub(tmp_path, over={"upc.tls": tls}, watched=True) as hub:
            await hub.endpoint.until_connected()
            first = await hub.endpoint.send(payment_of(), scheme="https")
            before = hub.application.components.tls
            renewed = authority.issue("second.test")
            renewed.write(tmp_path, "hub")
            async with asyncio.timeout(15):
                while hub.application.components.tls is before:
                    await asyncio.sleep(0.05)
            second = await hub.endpoint.send(payment_of(), scheme="https")

        assert (200, 200) == (first.status_code, second.status_code)
        shown = hub.application.components.configuration.certificate
        assert shown is not None
        assert shown.chain == renewed.certificate
