from typing import Final

from panel import ORANGE, RED, Page, Panel, Row, quantile, rate, stat
from shared import PROCESS

_CALLS: Final = "payorch_upc_call_duration_seconds_count"
_HOW_TO: Final = """\
Zuora's payment or refund id leads to every send of it.

1. `kubectl logs deploy/payorch-upc | jq -c 'select(.event == "upc_call" and .answer == "unknown")'` lists the requests.
2. The record's key leads to all its sends: `select(.key == "upc1-...")`, and the trace computed from it.
3. Ask the gateway by that key; it is the only name that gateway and hub share.

[What to do](docs/runbooks.md#payorchupcoutcomesunknown)
"""

HUB: Final = Page(
    "hub",
    "Hub",
    "What Zuora's Universal Payment Connector asks, and what the gateways that are plugged in answer.",
    (
        stat(
            "Oldest record in doubt",
            "A page from two hours on: Zuora asks again each hour, and a gateway that knows would have said so.",
            "max(payorch_upc_open_record_age_seconds{JOB})",
            "s",
            (3600, ORANGE),
            (7200, RED),
            nothing="0",
        ),
        stat(
            "Records in doubt",
            "Payments and refunds in Processing in Zuora whose outcome the hub does not know.",
            "sum(payorch_upc_open_records{JOB})",
            "short",
            (1, ORANGE),
            (10, RED),
            nothing="0",
        ),
        stat(
            "For people, last day",
            "Requests that no send can settle, each an error upc_needs_people in the log.",
            "sum(increase(payorch_upc_needs_people_total{JOB}[1d]))",
            "short",
            (1, RED),
            nothing="0",
        ),
        stat(
            "Gateways not ready",
            "Plug-ins that an instance cannot reach or describe.",
            "count(payorch_upc_gateway_ready{JOB} == 0)",
            "short",
            (1, RED),
            nothing="0",
        ),
        stat(
            "Credentials refused, last hour",
            "Answered 401, which is Error in Zuora: its password differs from the hub's, or others try to get in.",
            'sum(increase(payorch_upc_refused_total{JOB, situation="credentials_refused"}[1h]))',
            "short",
            (1, RED),
            nothing="0",
        ),
        Panel("From an id to everything", "How one payment is found.", kind="text", width=24, height=6, text=_HOW_TO),
        Row("Zuora"),
        Panel(
            "Answers",
            "Unknown is 503 and keeps the payment in Processing; all but approved and unknown are Error in Zuora.",
            ((rate(_CALLS, "answer"), "{{answer}}"),),
            stacked=True,
        ),
        Panel(
            "Answers by operation",
            "Validations move no money; payments and refunds do.",
            ((rate(_CALLS, "operation, answer"), "{{operation}} {{answer}}"),),
            stacked=True,
        ),
        Panel(
            "Refused by the hub",
            "Requests that reached no gateway, by what was wrong; each text is in docs/errors.md.",
            ((rate("payorch_upc_refused_total", "situation"), "{{situation}}"),),
            stacked=True,
        ),
        Panel(
            "Time to the answer, 99th percentile",
            "The hub gives up at 45 s, Zuora at 60 s.",
            ((quantile(0.99, "payorch_upc_call_duration_seconds", "hub, gateway"), "{{hub}} {{gateway}}"),),
            "s",
            thresholds=((20, ORANGE), (45, RED)),
        ),
        Panel(
            "Requests in progress",
            "Beyond max_in_flight of the hub, further ones are answered 503.",
            (("sum by (hub) (payorch_upc_in_flight{JOB})", "{{hub}}"),),
            "short",
        ),
        Row("Gateways"),
        Panel(
            "Calls by result",
            "What the plug-ins answered; error and deadline leave the outcome open.",
            ((rate("payorch_upc_gateway_calls_total", "gateway, result"), "{{gateway}} {{result}}"),),
            stacked=True,
        ),
        Panel(
            "Calls by method",
            "Many LookUp calls mean that many earlier sends are in doubt.",
            ((rate("payorch_upc_gateway_calls_total", "gateway, method"), "{{gateway}} {{method}}"),),
            stacked=True,
        ),
        Panel(
            "Contract broken",
            "Answers of a plug-in that break the rules of its proto, by rule.",
            ((rate("payorch_upc_contract_broken_total", "gateway, rule"), "{{gateway}} {{rule}}"),),
            stacked=True,
        ),
        Panel(
            "Ready",
            "The share of the instances that reach each gateway.",
            (("avg by (gateway) (payorch_upc_gateway_ready{JOB})", "{{gateway}}"),),
            "percentunit",
        ),
        Row("In doubt"),
        Panel(
            "Records in doubt, by gateway",
            "An instance counts what it has seen itself; Zuora's next send counts it again elsewhere.",
            (("sum by (hub, gateway) (payorch_upc_open_records{JOB})", "{{hub}} {{gateway}}"),),
            "short",
            thresholds=((1, ORANGE), (10, RED)),
            stacked=True,
        ),
        Panel(
            "Oldest record in doubt, by gateway",
            "Beyond the idempotent_for of a gateway without LookUp, only people can settle it.",
            (("max by (hub, gateway) (payorch_upc_open_record_age_seconds{JOB})", "{{hub}} {{gateway}}"),),
            "s",
            thresholds=((3600, ORANGE), (7200, RED)),
        ),
        Panel(
            "For people",
            "Requests that no send can settle, by situation.",
            ((rate("payorch_upc_needs_people_total", "situation, gateway"), "{{situation}} {{gateway}}"),),
            stacked=True,
        ),
        *PROCESS,
    ),
    jobs_of="payorch_upc_in_flight",
    jobs="hub_job",
)
