"""Panels that several pages show."""

from typing import Final

from panel import ORANGE, RED, Panel, Row, quantile, rate, stat

UNSETTLED: Final = (
    stat(
        "Unsettled now",
        "Intents whose outcome is unknown and that no resend has settled since. Each may be an unnoticed payment.",
        "sum(payorch_intents_unsettled{JOB})",
        "short",
        (1, ORANGE),
        (10, RED),
        nothing="0",
    ),
    stat(
        "Age of the oldest unsettled",
        "A page from 15 minutes on; from 23 hours on no resend can settle it.",
        "max(payorch_intents_unsettled_age_seconds{JOB})",
        "s",
        (300, ORANGE),
        (900, RED),
        nothing="0",
    ),
)
ATTEMPTS: Final = Panel(
    "Attempts at Zuora by status",
    "Every request to Zuora, those for tokens and repeated ones too; the error's name where there was no answer.",
    (
        (
            rate("http_client_request_duration_seconds_count", "http_response_status_code, error_type"),
            "{{http_response_status_code}} {{error_type}}",
        ),
    ),
    stacked=True,
)
ATTEMPT_TIME: Final = Panel(
    "Attempts at Zuora, 95th percentile",
    "How long Zuora takes, by operation. If calls are slow and this is not, they wait within the service.",
    (
        (
            quantile(0.95, "http_client_request_duration_seconds", "server_address, url_template"),
            "{{url_template}} {{server_address}}",
        ),
    ),
    "s",
    thresholds=((2.5, ORANGE), (5, RED)),
)
TOKEN_WAIT: Final = Panel(
    "Wait for a token",
    "95th percentile. Above zero only while a first token is fetched: later ones are replaced ahead of time.",
    ((quantile(0.95, "payorch_token_wait_duration_seconds", "tenant", "TENANT"), "{{tenant}}"),),
    "s",
    thresholds=((0.5, ORANGE), (2, RED)),
)
REPLAYS: Final = Panel(
    "Replayed answers",
    "Answers made for an earlier call, recorded by the service or stored by Zuora: nothing was executed twice.",
    ((rate("payorch_replays_total", "tenant"), "{{tenant}}"),),
)
PROCESS: Final = (
    Row("The process"),
    Panel(
        "Versions",
        "What runs. More than one version is normal during a rollout only.",
        (("count by (version, python_version, grpc_version) (payorch_build_info{JOB})", ""),),
        "short",
        "table",
    ),
    Panel(
        "CPU",
        "Cores in use. An instance has one event loop: at one core it is full, and more instances are what helps.",
        ((rate("process_cpu_seconds_total", "instance"), "{{instance}}"),),
        "short",
        thresholds=((0.7, ORANGE), (0.9, RED)),
    ),
    Panel(
        "Event loop lag, 99th percentile",
        "How late the event loop runs what is due; every call on the instance waits for that long.",
        ((quantile(0.99, "payorch_event_loop_lag_seconds", "instance"), "{{instance}}"),),
        "s",
        thresholds=((0.1, ORANGE), (0.5, RED)),
    ),
    Panel(
        "Memory",
        "Resident memory, which counts towards the limit of the container.",
        (("max by (instance) (process_resident_memory_bytes{JOB})", "{{instance}}"),),
        "bytes",
    ),
    Panel(
        "Open files",
        "The share of the file descriptors that the process may have; without one no connection is made or accepted.",
        (("max by (instance) (process_open_fds{JOB} / process_max_fds{JOB})", "{{instance}}"),),
        "percentunit",
        thresholds=((0.5, ORANGE), (0.8, RED)),
    ),
    Panel(
        "Garbage collections",
        "By generation, of all instances. Those of the oldest, 2, stop all calls for their time.",
        ((rate("python_gc_collections_total", "generation"), "{{generation}}"),),
        "ops",
        stacked=True,
    ),
)
"""Of every kind of process."""
