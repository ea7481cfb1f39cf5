"""What is reported of the hub's requests."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from harness.clock import START, FakeClock
from harness.hub import APPROVED, HUB, PLUGIN, TENANT, payment, validation
from harness.spans import KeptSpans
from opentelemetry import trace
from payorch_server.model.secret import Secret
from payorch_server.store.memory import MemoryStore
from payorch_server.telemetry.providers import Telemetry, start_telemetry
from payorch_server.telemetry.settings import TelemetrySettings
from payorch_server.upc.answers import Answer, HubAnswer, Situation, answer_to
from payorch_server.upc.hub_parts import HubCallNotes
from payorch_server.upc.hub_record import HubRecord, encode_hub_record, end_of, record_key
from payorch_server.upc.observation import HubObservation, span_ids_of_key
from payorch_server.upc.request import (
    Defect,
    HubRequest,
    Operation,
    Payment,
    RequestName,
    UnusableRequest,
    idempotency_key,
)
from payorch_server.upc.settings import UpcSettings
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

KEY = idempotency_key(RequestName(TENANT, Operation.PAYMENT, "pay-1"))
CANARY = "canary-of-a-request"
SETTINGS = UpcSettings(hubs={"main": HUB}, gateways={"amazon": PLUGIN})


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that took two seconds."""

    request: HubRequest | UnusableRequest | None
    answer: HubAnswer
    notes: HubCallNotes = field(default_factory=HubCallNotes)
    caller: str = "known"
    duration_s: float = 2.0


@dataclass
class World:
    """An observation over real telemetry."""

    observation: HubObservation
    telemetry: Telemetry
    spans: KeptSpans
    clock: FakeClock

    def end(
        self, request: HubRequest | UnusableRequest | None, answer: HubAnswer, *, hub: str = "main", **notes: Any
    ) -> dict[str, Any]:
        """Report a request that took two seconds; return its log record."""
        with capture_logs() as log, self.observation.observe(hub) as report:
            report(Exchange(request, answer, HubCallNotes(**notes)))
        (record,) = (entry for entry in log if entry["event"] == "upc_call")
        return dict(record)

    def metrics(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Return the hub's series by name and by the values of their labels, in the order of their names."""
        text = self.telemetry.exposition("")[0].decode()
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = {name: value for name, value in sample.labels.items() if not name.startswith("otel_scope")}
                found.setdefault(sample.name, {})[tuple(labels[name] for name in sorted(labels))] = sample.value
        return found


@pytest.fixture
def world() -> Iterator[World]:
    """Return an observation."""
    spans, clock = KeptSpans(), FakeClock()
    telemetry = start_telemetry(TelemetrySettings(), processors=[spans], clock=clock)
    observation = HubObservation(tracer=telemetry.tracer, meter=telemetry.meter, clock=clock, settings=lambda: SETTINGS)
    yield World(observation, telemetry, spans, clock)
    telemetry.shutdown()


def secretive() -> HubRequest:
    """Return a payment whose every secret and free text is the canary."""
    return payment(
        gateway_options=Secret({"option": CANARY}),
        other_members=Secret(f'{{"level3": "{CANARY}"}}'.encode()),
        subject=Payment("pay-1", CANARY, payment().subject.amount, CANARY, CANARY),  # type: ignore[union-attr] # it is one
        gateway_name=CANARY,
    )


class TestLogRecord:
    """One record of each request, in words of ours."""

    def test_says_what_happened(self, world: World) -> None:
        """With the ids that lead to Zuora and to the ledger."""
        answer = answer_to(Situation.APPROVED, in_doubt=False, outcome=APPROVED)

        record = world.end(payment(), answer, key=KEY, gateway="amazon", attempt=2, joined=True)

        trace_id = f"{world.spans.spans[-1].get_span_context().trace_id:032x}"  # type: ignore[union-attr] # it has one
        assert record == {
            "event": "upc_call",
            "log_level": "info",
            "hub": "main",
            "operation": "payment",
            "tenant_id": TENANT,
            "id": "pay-1",
            "key": KEY,
            "answer": "approved",
            "situation": "approved",
            "status": 200,
            "attempt": 2,
            "gateway": "amazon",
            "replayed": False,
            "joined": True,
            "caller": "known",
            "duration_s": 2.0,
            "trace_id": trace_id,
        }

    def test_names_what_is_wrong_with_a_request(self, world: World) -> None:
        """By constant words, and the id where it is legible."""
        request = UnusableRequest(
            Defect.MEMBER_MISSING, "payment.amount", (RequestName(TENANT, Operation.REFUND, "r-1"),)
        )

        record = world.end(request, answer_to(Situation.REQUEST_UNUSABLE, in_doubt=False), key=KEY)

        assert ("member_missing", "payment.amount") == (record["defect"], record["member"])
        assert ("refund", "r-1", "not_understood", 400) == tuple(
            record[name] for name in ("operation", "id", "answer", "status")
        )

    def test_has_no_text_of_the_request(self, world: World) -> None:
        """Neither has the span: ids of an unknown form are masked."""
        forged = RequestName(f"{CANARY}\n", Operation.PAYMENT, f"{CANARY} {CANARY}")

        records = [
            world.end(secretive(), answer_to(Situation.NO_OUTCOME, in_doubt=False), key=KEY),
            world.end(
                UnusableRequest(Defect.MEMBER_INVALID, "payment.id", (forged,)),
                answer_to(Situation.REQUEST_UNUSABLE, in_doubt=False),
            ),
        ]

        assert CANARY not in str(records)
        assert CANARY not in "".join(span.to_json() for span in world.spans.spans)
        assert CANARY not in world.telemetry.exposition("")[0].decode()
        assert ("[masked]", "[masked]") == (records[1]["tenant_id"], records[1]["id"])


class TestSpans:
    """A server span, and a pointer to it that can be computed."""

    def test_lead_from_the_key_to_every_send(self, world: World) -> None:
        """Two sends of a payment have a span each in the trace of its key, which links to theirs."""
        answer = answer_to(Situation.NO_OUTCOME, in_doubt=False)
        for _ in range(2):
            world.end(payment(), answer, key=KEY)

        servers = [span for span in world.spans.spans if span.name == "POST /upc/{hub}"]
        pointers = [span for span in world.spans.spans if span.name == "send"]
        assert [span_ids_of_key(KEY)[0]] * 2 == [span.context.trace_id for span in pointers]
        assert [span.context for span in servers] == [link.context for span in pointers for link in span.links]
        assert servers[0].context.trace_id != servers[1].context.trace_id

    def test_of_a_key_begin_with_its_hash(self) -> None:
        """So that everyone can compute it: sha256sum is enough."""
        assert f"{span_ids_of_key('upc1-x')[0]:032x}" == "c1c1d9caabca90d3ded38956a9532056"

    def test_of_validations_have_no_pointer(self, world: World) -> None:
        """Zuora has no id of them to begin with."""
        world.end(validation(), answer_to(Situation.APPROVED, in_doubt=False, outcome=APPROVED), key="validation-1")

        assert ["POST /upc/{hub}"] == world.spans.names

    def test_are_errors_where_nothing_is_known(self, world: World) -> None:
        """A decline is none, but is always sent to the collector."""
        for situation in (Situation.APPROVED, Situation.DECLINED, Situation.NO_OUTCOME):
            world.end(payment(), answer_to(situation, in_doubt=False, outcome=APPROVED))

        assert [(None, False), ("DECLINED", True), ("NO_OUTCOME", False)] == [
            ((span.attributes or {}).get("error.type"), span.status.status_code.name == "UNSET" and index == 1)
            for index, span in enumerate(world.spans.spans)
        ]
        assert ["UNSET", "UNSET", "ERROR"] == [span.status.status_code.name for span in world.spans.spans]

    def test_are_the_parents_of_what_is_called(self, world: World) -> None:
        """Of calls of gateways, whose executions are tasks of their own."""
        with world.observation.observe("main"):
            world.telemetry.tracer.start_span("call").end()
            assert trace.get_current_span().is_recording()

        call, server = world.spans.spans
        assert call.parent is not None
        assert call.parent.span_id == server.context.span_id


class TestMetrics:
    """Few values of each label, whatever is sent."""

    def test_count_requests_calls_and_broken_rules(self, world: World) -> None:
        """A stranger has no hub, gateway or operation."""
        world.end(payment(), answer_to(Situation.APPROVED, in_doubt=False, outcome=APPROVED), gateway="amazon")
        world.end(None, answer_to(Situation.CREDENTIALS_REFUSED, in_doubt=False), hub="")
        world.observation.plugin_called(gateway="amazon", method="ProcessPayment", result="APPROVED", duration_s=0.1)
        world.observation.contract_broken(gateway="amazon", rule="CODE_TOO_LONG")

        found = world.metrics()
        assert {
            ("approved", "amazon", "main", "payment"): 1.0,
            ("unauthorized", "", "", ""): 1.0,
        } == found["payorch_upc_call_duration_seconds_count"]
        assert {("credentials_refused",): 1.0} == found["payorch_upc_refused_total"]
        assert {("amazon", "ProcessPayment", "APPROVED"): 1.0} == found["payorch_upc_gateway_calls_total"]
        assert {("amazon", "CODE_TOO_LONG"): 1.0} == found["payorch_upc_contract_broken_total"]

    def test_count_what_people_must_settle(self, world: World) -> None:
        """A log is searched only once something asks for it."""
        for _ in range(2):
            world.observation.needs_people(Situation.TOO_OLD, key=KEY, operation="Refund", gateway="amazon")

        assert {("amazon", "refund", "too_old"): 2.0} == world.metrics()["payorch_upc_needs_people_total"]

    def test_show_which_gateways_can_be_called(self, world: World) -> None:
        """Also one whose connection was closed for want of calls."""
        states = {"a": "READY", "b": "IDLE", "c": "CONNECTING", "d": "TRANSIENT_FAILURE", "e": "NOT_DESCRIBED"}
        world.observation.publish_gateways(lambda: states)

        assert {("a",): 1.0, ("b",): 1.0, ("c",): 0.0, ("d",): 0.0, ("e",): 0.0} == (
            world.metrics()["payorch_upc_gateway_ready"]
        )

    def test_show_requests_in_progress(self, world: World) -> None:
        """For every hub, also where there are none."""
        with world.observation.observe("main"):
            inside = world.metrics()["payorch_upc_in_flight"]

        assert ({("main",): 1.0}, {("main",): 0.0}) == (inside, world.metrics()["payorch_upc_in_flight"])

    def test_show_what_is_in_doubt_and_for_how_long(self, world: World) -> None:
        """The oldest counts, from its first send on."""
        first_send_s = START.timestamp()
        world.observation.opened("upc1-a", gateway="amazon", first_send_s=first_send_s)
        world.observation.opened("upc1-b", gateway="amazon", first_send_s=first_send_s + 30)
        world.clock.advance(60.0)
        before = world.metrics()
        world.observation.settled("upc1-a")
        after = world.metrics()

        assert {("amazon", "main"): 2.0} == before["payorch_upc_open_records"]
        assert {("amazon", "main"): 60.0} == before["payorch_upc_open_record_age_seconds"]
        assert {("amazon", "main"): 1.0} == after["payorch_upc_open_records"]
        assert {("amazon", "main"): 30.0} == after["payorch_upc_open_record_age_seconds"]

    def test_forget_what_another_replica_has_ended(self, world: World) -> None:
        """What is still open, or cannot be read, stays."""
        store = MemoryStore(clock=world.clock, max_entries=1_000)
        now_s = START.timestamp()
        still_open = HubRecord("owner", 0.0, now_s, now_s)
        ended = HubRecord("owner", 0.0, now_s, now_s, end=end_of("APPROVED", APPROVED, ended_at_s=now_s))
        values = {"open": encode_hub_record(still_open), "ended": encode_hub_record(ended), "illegible": b"\xff"}

        async def check() -> None:
            for key, value in values.items():
                await store.put_if_absent(record_key(key), value, ttl_s=60.0)
            await world.observation.open_records.forget_ended(store)

        for key in (*values, "lost"):
            world.observation.opened(key, gateway="amazon", first_send_s=now_s)
        asyncio.run(check())

        assert {("amazon", "main"): 2.0} == world.metrics()["payorch_upc_open_records"]


def test_alarms_name_what_people_need() -> None:
    """As an error, without a text of the request."""
    spans = KeptSpans()
    telemetry = start_telemetry(TelemetrySettings(), processors=[spans])
    observation = HubObservation(
        tracer=telemetry.tracer, meter=telemetry.meter, clock=FakeClock(), settings=lambda: SETTINGS
    )

    with capture_logs() as log:
        observation.needs_people(Situation.REQUEST_CHANGED, key=KEY, operation="Payment", gateway="amazon")

    telemetry.shutdown()
    assert log == [
        {
            "event": "upc_needs_people",
            "log_level": "error",
            "situation": "request_changed",
            "detail": Situation.REQUEST_CHANGED.value,
            "key": KEY,
            "operation": "payment",
            "gateway": "amazon",
        }
    ]


def test_every_answer_has_a_word() -> None:
    """Dashboards select by it."""
    assert {"approved", "declined", "failed", "system", "not_understood", "unauthorized", "unknown"} == {
        answer.name.lower() for answer in Answer
    }
