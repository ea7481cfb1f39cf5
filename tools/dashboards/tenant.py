from typing import Final

from panel import ORANGE, RED, Page, Panel, Row, quantile, rate
from shared import ATTEMPT_TIME, ATTEMPTS, REPLAYS, TOKEN_WAIT

TENANT: Final = Page(
    "tenant",
    "Tenant",
    "One Zuora tenant, or some.",
    (
        Row("Outcomes"),
        Panel(
            "Calls by outcome",
            "The outcomes that callers received.",
            ((rate("payorch_calls_total", "outcome", "TENANT"), "{{outcome}}"),),
            stacked=True,
        ),
        Panel(
            "Calls by reason",
            "Why calls failed; docs/errors.md explains each.",
            ((rate("payorch_calls_total", "reason", 'TENANT, reason!=""'), "{{reason}}"),),
        ),
        Panel(
            "Declines",
            "The share of what was sent that gateways or banks declined. An alert compares it with the last day.",
            (
                ("max by (tenant) (payorch:declines:ratio_rate15m{TENANT})", "{{tenant}}, 15 minutes"),
                ("max by (tenant) (payorch:declines:ratio_rate1d{TENANT})", "{{tenant}}, a day"),
            ),
            "percentunit",
            thresholds=((0.2, ORANGE),),
        ),
        Panel(
            "Executions by RPC and outcome",
            "How executions at Zuora ended, whether or not their callers waited.",
            ((rate("payorch_executions_total", "rpc, outcome", "TENANT"), "{{rpc}} {{outcome}}"),),
        ),
        Panel(
            "Routes",
            "Which rules sent calls here.",
            ((rate("payorch_route_decisions_total", "rule, result", "TENANT"), "{{rule}} {{result}}"),),
        ),
        REPLAYS,
        Row("Load"),
        Panel(
            "In flight and waiting",
            "Calls at Zuora, and calls that wait because the tenant's max_in_flight is reached.",
            (
                ("sum by (tenant) (payorch_upstream_in_flight{TENANT})", "{{tenant}} in flight"),
                ("sum by (tenant) (payorch_upstream_waiting{TENANT})", "{{tenant}} waiting"),
            ),
            "short",
        ),
        Panel(
            "Queue wait",
            "95th percentile. After max_queue_s a call is refused with OVERLOADED.",
            ((quantile(0.95, "payorch_upstream_queue_duration_seconds", "tenant", "TENANT"), "{{tenant}}"),),
            "s",
            thresholds=((1, ORANGE), (2, RED)),
        ),
        TOKEN_WAIT,
        Row("Failures"),
        Panel(
            "Retries by reason",
            "Attempts that were repeated with the same key.",
            ((rate("payorch_upstream_retries_total", "reason", "TENANT"), "{{reason}}"),),
        ),
        Panel(
            "Retry budget",
            "What is left of it; below half, failed attempts are not repeated.",
            (("min by (tenant) (payorch_upstream_retry_budget{TENANT})", "{{tenant}}"),),
            "percentunit",
            thresholds=((0.1, ORANGE), (0.5, "green")),
            base=RED,
        ),
        Panel(
            "Circuit",
            "0: calls are sent. 1: one is on its way to try. 2: Zuora has stopped answering, and none is sent.",
            (("max by (tenant, entity) (payorch_upstream_circuit{TENANT})", "{{tenant}} {{entity}}"),),
            "short",
            thresholds=((1, ORANGE), (2, RED)),
        ),
        ATTEMPTS,
        ATTEMPT_TIME,
    ),
    by_tenant=True,
)
