"""Panels that several pages show."""

from typing import Final

from panel import ORANGE, RED, Panel, quantile, rate, stat

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
