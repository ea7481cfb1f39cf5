from typing import Final

from panel import ORANGE, RED, Page, Panel, Row, quantile, rate, stat
from shared import ATTEMPT_TIME, ATTEMPTS, PROCESS, UNSETTLED

OVERVIEW: Final = Page(
    "overview",
    "Overview",
    "Whether payments get through, and where they do not.",
    (
        Row("At a glance"),
        stat("Calls per second", "Calls that ended, of all RPCs.", "sum(rate(payorch_calls_total{JOB}[5m]))", "reqps"),
        stat(
            "Availability, last day",
            "The share of calls that did not end by a fault of the service or of Zuora; the objective is 99.5 %.",
            "1 - max(payorch:calls_faulty:ratio_rate1d{JOB})",
            "percentunit",
            (0.99, ORANGE),
            (0.995, "green"),
            base=RED,
        ),
        *UNSETTLED,
        stat(
            "Tenants not ready",
            "Tenants for which at least one instance has no token.",
            "count(min by (tenant) (payorch_tenant_ready{JOB}) == 0)",
            "short",
            (1, RED),
            nothing="0",
        ),
        stat(
            "Instances that refuse money",
            "Instances whose store, audit or clock does not work; /readyz names the obstacle.",
            "count(payorch_money_accepted{JOB} == 0)",
            "short",
            (1, RED),
            nothing="0",
        ),
        stat("Instances", "Instances that are scraped.", "count(payorch_policy_info{JOB})", "short"),
        Panel("Alerts", "What fires or is about to.", kind="alertlist", width=24, height=5),
        Row("Calls"),
        Panel(
            "Calls by RPC",
            "Calls that ended, in whatever way.",
            ((rate("payorch_calls_total", "rpc"), "{{rpc}}"),),
            stacked=True,
        ),
        Panel(
            "Calls by outcome",
            "The outcomes that callers received. With PARTIAL and UNKNOWN money may have moved.",
            ((rate("payorch_calls_total", "outcome"), "{{outcome}}"),),
            stacked=True,
        ),
        Panel(
            "Calls by reason",
            "Why calls failed; docs/errors.md explains each.",
            ((rate("payorch_calls_total", "reason", 'JOB, reason!=""'), "{{reason}}"),),
        ),
        Panel(
            "Calls by status",
            "The status codes of gRPC, as proxies and meshes see them; outcome and reason are more precise.",
            (
                (
                    rate("rpc_server_call_duration_seconds_count", "rpc_response_status_code"),
                    "{{rpc_response_status_code}}",
                ),
            ),
            stacked=True,
        ),
        Panel(
            "Latency, median",
            "From the first byte of the request to the answer.",
            ((quantile(0.5, "rpc_server_call_duration_seconds", "rpc_method"), "{{rpc_method}}"),),
            "s",
        ),
        Panel(
            "Latency, 95th percentile",
            "The objectives: 99 % within 2.5 s for CreateSession, and within 5 s for the others that reach Zuora.",
            ((quantile(0.95, "rpc_server_call_duration_seconds", "rpc_method"), "{{rpc_method}}"),),
            "s",
            thresholds=((2.5, ORANGE), (5, RED)),
        ),
        Row("Intents"),
        Panel(
            "Calls by intent disposition",
            "Joined and replayed are resends that did no harm; unrecorded are calls that were sent without the store.",
            ((rate("payorch_intents_total", "disposition"), "{{disposition}}"),),
        ),
        Panel(
            "Executions by outcome",
            "How executions at Zuora ended, whether or not their callers waited.",
            ((rate("payorch_executions_total", "outcome"), "{{outcome}}"),),
            stacked=True,
        ),
        Panel(
            "In flight",
            "Calls in progress, and executions, which continue when their callers leave.",
            (
                ("sum(payorch_calls_in_progress{JOB})", "calls"),
                ("sum(payorch_intents_in_flight{JOB})", "intents"),
                ("sum(payorch_upstream_in_flight{JOB})", "at Zuora"),
            ),
            "short",
        ),
        Row("Zuora"),
        ATTEMPTS,
        ATTEMPT_TIME,
        Panel(
            "Retries by reason",
            "Attempts that were repeated with the same key.",
            ((rate("payorch_upstream_retries_total", "reason"), "{{reason}}"),),
        ),
        Row("The service"),
        Panel(
            "Routes",
            "By rule; refused calls matched none or contradicted one.",
            ((rate("payorch_route_decisions_total", "result, rule"), "{{result}} {{rule}}"),),
        ),
        Panel(
            "Access",
            "Denied calls by the right that was missing.",
            ((rate("payorch_access_decisions_total", "decision, right"), "{{decision}} {{right}}"),),
        ),
        Panel(
            "Configuration",
            "Changes by result, and whether the files as they are now are refused.",
            (
                ("sum by (result) (increase(payorch_configuration_reloads_total{JOB}[1h]))", "{{result}}, last hour"),
                ("max(payorch_configuration_refused{JOB})", "refused now"),
            ),
            "short",
            thresholds=((1, ORANGE),),
        ),
        Panel(
            "Policies in force",
            "More than one for long means that instances route differently.",
            (("count by (policy_hash, version) (payorch_policy_info{JOB})", ""),),
            "short",
            "table",
        ),
        Panel(
            "Certificate",
            "Until the first certificate of the gRPC port expires.",
            (("min(payorch_certificate_expiry_seconds{JOB} > 0) - time()", "left"),),
            "s",
            thresholds=((86400, ORANGE), (604800, "green")),
            base=RED,
        ),
        Panel(
            "Store failures",
            "Operations on the store of intents that failed. Payments are refused meanwhile.",
            ((rate("payorch_store_failures_total", "operation"), "{{operation}}"),),
            thresholds=((0.01, RED),),
        ),
        Panel(
            "Entries of the store in memory",
            "From nine tenths of store.max_entries on there is an alert; when it is full, payments are refused.",
            (
                ("max by (instance) (payorch_store_entries{JOB})", "{{instance}}"),
                ("max(payorch_store_max_entries{JOB})", "store.max_entries"),
            ),
        ),
        Panel(
            "Spans dropped",
            "Traces have holes where spans were dropped; calls are not affected.",
            ((rate("payorch_spans_dropped_total", "reason"), "{{reason}}"),),
            thresholds=((0.01, ORANGE),),
        ),
        Panel(
            "Call records lost",
            "Records of ended calls that did not reach the store; other instances cannot find those calls.",
            ((rate("payorch_call_records_lost_total", "instance"), "{{instance}}"),),
            thresholds=((0.01, ORANGE),),
        ),
        Panel(
            "Log lines lost",
            "Lines of the log and of the audit that will never be written.",
            ((rate("payorch_log_lost_total", "stream"), "{{stream}}"),),
            thresholds=((0.01, ORANGE),),
        ),
        Panel(
            "Log stalled",
            "1 while lines do not get out. Payments are refused while the audit's do not.",
            (("max by (instance, stream) (payorch_log_stalled{JOB})", "{{instance}} {{stream}}"),),
            thresholds=((1, RED),),
        ),
        *PROCESS,
    ),
)
