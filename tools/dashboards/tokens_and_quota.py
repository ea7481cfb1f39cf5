from typing import Final

from panel import ORANGE, RED, Page, Panel, Row, rate
from shared import ATTEMPTS, TOKEN_WAIT

TOKENS_AND_QUOTA: Final = Page(
    "tokens-and-quota",
    "Tokens and quota",
    "Whether Zuora accepts the service's credentials, and how much quota is left.",
    (
        Row("Tokens"),
        Panel(
            "Ready tenants",
            "0 while at least one instance has no token for the tenant.",
            (("min by (tenant) (payorch_tenant_ready{TENANT})", "{{tenant}}"),),
            "short",
            thresholds=((1, "green"),),
            base=RED,
        ),
        Panel(
            "Token fetches",
            "By result. Each instance fetches one token for each tenant, or entity, in somewhat less than an hour.",
            ((rate("payorch_token_fetches_total", "tenant, result", "TENANT"), "{{tenant}} {{result}}"),),
        ),
        Panel(
            "Age of tokens",
            "The oldest in use. Beyond four fifths of an hour the fetches ahead of time fail.",
            (("max by (tenant) (payorch_token_age_seconds{TENANT})", "{{tenant}}"),),
            "s",
            thresholds=((3000, ORANGE), (3600, RED)),
        ),
        TOKEN_WAIT,
        Panel(
            "Clock offset",
            "Zuora's clock less the instance's, the largest of any instance. Beyond a minute, by default, payments are"
            " refused.",
            (("max by (tenant) (abs(payorch_clock_offset_seconds{TENANT}))", "{{tenant}}"),),
            "s",
            thresholds=((30, ORANGE), (60, RED)),
        ),
        Panel(
            "Credentials rejected",
            "Calls that failed because Zuora refuses the service's own credentials.",
            (
                (
                    rate("payorch_calls_total", "tenant", 'TENANT, reason="UPSTREAM_CREDENTIALS_REJECTED"'),
                    "{{tenant}}",
                ),
            ),
            thresholds=((0.001, RED),),
        ),
        Row("Quota"),
        Panel(
            "Quota left",
            "Calls that Zuora still allows, from the headers of its answers; the lowest value of any instance.",
            (("min by (tenant, limit) (payorch_quota_left{TENANT})", "{{tenant}} {{limit}}"),),
            "short",
            thresholds=((100, ORANGE), (1000, "green")),
            base=RED,
        ),
        Panel(
            "Throttled calls",
            "Refused because Zuora asked for a longer wait than the call had left.",
            (
                (
                    rate("payorch_calls_total", "tenant", 'TENANT, reason="UPSTREAM_THROTTLED"'),
                    "{{tenant}}",
                ),
            ),
            thresholds=((0.01, ORANGE),),
        ),
        Panel(
            "Attempts at Zuora",
            "What the service itself uses of the quota, by operation. Other systems of a tenant count too.",
            (
                (
                    rate("http_client_request_duration_seconds_count", "server_address, url_template"),
                    "{{url_template}} {{server_address}}",
                ),
            ),
            stacked=True,
        ),
        ATTEMPTS,
    ),
    by_tenant=True,
)
