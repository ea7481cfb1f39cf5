"""What a dashboard is made of. In queries JOB and TENANT stand for the labels that the page's variables select."""

from dataclasses import dataclass
from typing import Final, Literal

ORANGE: Final = "orange"
"""Needs attention."""
RED: Final = "red"
"""What an alert pages for."""
RATE: Final = "[$__rate_interval]"
"""Grafana's interval, which fits the scrape interval and the width of the panel."""


_OF_JOB: Final = 'cluster=~"$cluster", namespace=~"$namespace", job=~"$JOBS"'
SELECTED: Final = {"JOB": _OF_JOB, "TENANT": f'{_OF_JOB}, tenant=~"$tenant"'}
"""What JOB and TENANT in a query stand for, where JOBS is the page's variable of jobs; a series without the label
`cluster` is found as long as all are chosen."""


@dataclass(frozen=True, slots=True)
class Row:
    """A heading."""

    title: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture."""

    title: str
    description: str
    """What it means, and what to do about it."""
    queries: tuple[tuple[str, str], ...] = ()
    """Queries with their legends."""
    unit: str = "reqps"
    """As Grafana names units."""
    kind: Literal["timeseries", "stat", "table", "text", "alertlist"] = "timeseries"
    thresholds: tuple[tuple[float, str], ...] = ()
    """From which value on which colour holds."""
    base: str = "green"
    """The colour below all thresholds."""
    stacked: bool = False
    width: int = 8
    """In columns, of 24."""
    height: int = 8
    least: float | None = 0
    """Where the axis begins; None lets the values decide."""
    nothing: str = "none"
    """What is shown instead of no value."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One dashboard."""

    name: str
    title: str
    description: str
    items: tuple[Row | Panel, ...]
    by_tenant: bool = False
    jobs_of: str = "payorch_policy_info"
    """A metric that every job of the page has."""
    jobs: str = "job"
    """The variable of the page's jobs. Links between pages carry choices over by the names of variables, so pages with
    other jobs have another one."""


def rate(metric: str, by: str, selection: str = "JOB") -> str:
    """Ask for the rate of a counter."""
    return f"sum by ({by}) (rate({metric}{{{selection}}}{RATE}))"


def quantile(share: float, metric: str, by: str, selection: str = "JOB") -> str:
    """Ask for the value below which a share of what a histogram has seen lies."""
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({metric}_bucket{{{selection}}}{RATE})))"


def stat(title: str, description: str, query: str, unit: str, *thresholds: tuple[float, str], **more: str) -> Panel:
    """Show one number."""
    return Panel(
        title,
        description,
        ((query, ""),),
        unit,
        "stat",
        thresholds,
        base=more.get("base", "green"),
        nothing=more.get("nothing", "none"),
        width=4,
        height=4,
    )
