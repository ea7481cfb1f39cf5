from typing import Final

from panel import ORANGE, RED, Page, Panel, Row, rate, stat
from shared import ATTEMPTS, REPLAYS, UNSETTLED

_HOW_TO = """\
Every call has a Track-Id: in the caller's error, in the log line `call`, on the span, at Zuora.

1. `kubectl logs deploy/payorch | jq -c 'select(.event == "call" and .outcome == "UNKNOWN")'` lists the calls.
2. `payorch-server trace TRACK_ID` prints what the id leads to: trace, attempts, Zuora's request ids.
3. The caller calls `GetIntent` with its `request_id`, or resends with **the same** `request_id` if advised to.
4. Otherwise look the payment up in Zuora, by Track-Id, account and time.

[What to do](docs/runbooks.md#payorchoutcomesunsettled) · [what each reason means](docs/errors.md)
"""

UNKNOWN_OUTCOMES: Final = Page(
    "unknown-outcomes",
    "Unknown outcomes",
    "Payments that may or may not have happened.",
    (
        *UNSETTLED,
        stat(
            "Unknown, last hour",
            "Executions that ended in doubt, settled since or not.",
            'sum(increase(payorch_executions_total{JOB, outcome="UNKNOWN"}[1h]))',
            "short",
            (1, ORANGE),
            nothing="0",
        ),
        stat(
            "Partial, last day",
            "Payment methods that exist and whose payment was not confirmed.",
            'sum(increase(payorch_executions_total{JOB, outcome="PARTIAL"}[1d]))',
            "short",
            (1, ORANGE),
            nothing="0",
        ),
        stat(
            "Settled by resends, last hour",
            "Resends that joined an execution, got its recorded answer, or took it over from an instance that is gone.",
            'sum(increase(payorch_intents_total{JOB, disposition=~"joined|replayed|taken_over"}[1h]))',
            "short",
            nothing="0",
        ),
        Panel(
            "From a Track-Id to everything", "How one payment is found.", kind="text", width=24, height=6, text=_HOW_TO
        ),
        Row("How many, how old"),
        Panel(
            "Unsettled by instance",
            "An instance that ends takes its count with it; an alert covers that.",
            (("sum by (instance) (payorch_intents_unsettled{JOB})", "{{instance}}"),),
            "short",
            thresholds=((1, ORANGE), (10, RED)),
            stacked=True,
        ),
        Panel(
            "Age of the oldest",
            "A page from 15 minutes on, critical from 18 hours on, and at 23 hours resending ends.",
            (("max by (instance) (payorch_intents_unsettled_age_seconds{JOB})", "{{instance}}"),),
            "s",
            thresholds=((900, ORANGE), (64800, RED)),
        ),
        Panel(
            "Calls by intent disposition",
            "Joined and replayed are the resends that settle; refused are changed requests under a used request_id.",
            ((rate("payorch_intents_total", "disposition"), "{{disposition}}"),),
        ),
        Row("Why"),
        Panel(
            "Unknown, by reason",
            "Executions that ended in doubt; docs/errors.md says for each what settles it.",
            ((rate("payorch_executions_total", "reason", 'JOB, outcome="UNKNOWN"'), "{{reason}}"),),
            stacked=True,
        ),
        Panel(
            "Unknown, by tenant and RPC",
            "Where to look first.",
            ((rate("payorch_executions_total", "tenant, rpc", 'JOB, outcome="UNKNOWN"'), "{{tenant}} {{rpc}}"),),
            stacked=True,
        ),
        Panel(
            "Unknown to callers, by reason",
            "Calls that ended UNKNOWN, including those whose execution succeeded later.",
            ((rate("payorch_calls_total", "reason", 'JOB, outcome="UNKNOWN"'), "{{reason}}"),),
            stacked=True,
        ),
        ATTEMPTS,
        REPLAYS,
        Panel(
            "Retries by reason",
            "Attempts that were repeated with the same key: most unknown outcomes are settled here, unseen by callers.",
            ((rate("payorch_upstream_retries_total", "tenant, reason"), "{{tenant}} {{reason}}"),),
        ),
    ),
)
