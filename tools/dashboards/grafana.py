"""Makes Grafana's dashboards of pages, with the SDK that Grafana generates from its own schema."""

import json
from collections.abc import Iterator
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import common, prometheus, stat, table, text, timeseries
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode
from links import links_of
from panel import SELECTED, Page, Panel, Row

_SOURCE: Final = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
_COLUMNS: Final = 24
# What a scrape may come after the start of a process.
_SEEN_AFTER_S: Final = 60
V = TypeVar("V", timeseries.Panel, stat.Panel, table.Panel)


def dashboard(page: Page) -> str:
    """Return what Grafana reads."""
    others = dashboards.DashboardLink("payorch").type(models.DashboardLinkType.DASHBOARDS).tags(["payorch"])
    made = (
        dashboards.Dashboard(f"payorch: {page.title}")
        .uid(f"payorch-{page.name}")
        .description(page.description)
        .tags(["payorch"])
        .version(1)
        .editable()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time("now-6h", "now")
        .timezone(kinds.TimeZoneBrowser)
        .links([others.keep_time(True).include_vars(True)])
        .variables(list(_variables(page)))
        .annotations(list(_annotations()))
        .build()
    )
    made.schema_version = 39  # What Grafana 10.4 writes: no later release has anything to migrate that is used here.
    made.panels = list(_laid_out(page))
    return json.dumps(made, cls=JSONEncoder, indent=2).replace("$JOBS", f"${page.jobs}") + "\n"


def _variables(page: Page) -> Iterator[Builder[models.VariableModel]]:
    yield dashboards.DatasourceVariable("datasource").label("Metrics").type("prometheus")
    earlier: list[str] = []
    for name in ("cluster", "namespace", "job", *(["tenant"] if page.by_tenant else [])):
        of = "payorch_tenant_ready" if name == "tenant" else page.jobs_of
        values = f"label_values({of}{{{', '.join(earlier)}}}, {name})"
        variable = _chosen(page.jobs if name == "job" else name, name.capitalize(), values)
        # All jobs are those of payorch: process_* and the like are exposed by others too.
        yield variable if name == "job" else variable.all_value(".*")
        earlier.append(f'{name}=~"${"JOBS" if name == "job" else name}"')
    yield dashboards.DatasourceVariable("logs").label("Logs").type("loki")
    yield dashboards.DatasourceVariable("traces").label("Traces").type("tempo")


def _chosen(name: str, label: str, query: str) -> dashboards.QueryVariable:
    """Return a variable for values of a label."""
    return (
        dashboards.QueryVariable(name)
        .label(label)
        .datasource(_SOURCE)
        .query({"query": query, "refId": name})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(models.VariableOption(text="All", value="$__all"))
    )


class _Annotation(models.AnnotationQuery):
    """A query of Prometheus whose series are marks; the SDK lacks the names of the marks."""

    titles = ""

    def to_json(self) -> dict[str, object]:
        return super().to_json() | {"titleFormat": self.titles, "tagKeys": "job,namespace,cluster"}


class _Made(Builder[models.AnnotationQuery]):
    """What is made already."""

    def __init__(self, annotation: models.AnnotationQuery) -> None:
        self._annotation = annotation

    def build(self) -> models.AnnotationQuery:
        return self._annotation


def _annotations() -> Iterator[Builder[models.AnnotationQuery]]:
    """Yield new versions, starts of processes, and what the pipeline itself enters with the tag payorch."""
    build = "count by (cluster, namespace, job, version) (payorch_build_info{JOB}%s)"
    yield _marks("Versions", "{{version}}", "blue", f"{build % ''} unless {build % ' offset $__interval'}")
    since = f"time() - $__interval_ms / 1000 - {_SEEN_AFTER_S}"
    started = f"count by (cluster, namespace, job) (process_start_time_seconds{{JOB}} > {since})"
    yield _marks("Starts", "{{job}}", "purple", started)
    yield (
        dashboards.AnnotationQuery()
        .name("Deployments")
        .datasource(models.DataSourceRef(type_val="grafana", uid="-- Grafana --"))
        .enable(True)
        .icon_color("green")
        .target(dashboards.AnnotationTarget().type("tags").tags(["payorch"]).match_any(False).limit(100))
    )


def _marks(name: str, titles: str, color: str, query: str) -> _Made:
    made = _Annotation(name=name, datasource=_SOURCE, icon_color=color, expr=_selected(query))
    made.titles = titles
    return _Made(made)


def _laid_out(page: Page) -> Iterator[models.Panel | models.RowPanel]:
    """Yield the panels from left to right, row by row."""
    x = y = height = 0
    for number, item in enumerate(page.items, 1):
        wide = _COLUMNS if isinstance(item, Row) else item.width
        if x + wide > _COLUMNS:
            x, y, height = 0, y + height, 0
        tall = 1 if isinstance(item, Row) else item.height
        made = dashboards.Row(item.title).build() if isinstance(item, Row) else _panel(item)
        made.id_val, made.grid_pos = number, models.GridPos(h=tall, w=wide, x=x, y=y)
        yield made
        x, height = x + wide, max(height, tall)


def _panel(panel: Panel) -> models.Panel:
    made = _visual(panel).build()
    made.title, made.description = panel.title, panel.description
    return made


def _visual(panel: Panel) -> Builder[models.Panel]:
    match panel.kind:
        case "text":
            return text.Panel().mode(TextMode.MARKDOWN).content(panel.text)
        case "alertlist":
            chosen = {"firing": True, "pending": True, "noData": False, "normal": False, "error": True}
            options = {"alertName": "Payorch", "stateFilter": chosen, "viewMode": "list"}
            return dashboards.Panel().type("alertlist").options(options)
        case "stat":
            made = _with_data(stat.Panel(), panel).reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
            return made.color_mode(kinds.BigValueColorMode.BACKGROUND).graph_mode(kinds.BigValueGraphMode.NONE)
        case "table":
            return _with_data(table.Panel(), panel).show_header(True)
        case "timeseries":
            return _with_data(_drawn(panel), panel)


def _drawn(panel: Panel) -> timeseries.Panel:
    style = kinds.GraphThresholdsStyleMode.AREA if panel.thresholds else kinds.GraphThresholdsStyleMode.OFF
    stacking = kinds.StackingMode.NORMAL if panel.stacked else kinds.StackingMode.NONE
    legend = common.VizLegendOptions().display_mode(kinds.LegendDisplayMode.TABLE).show_legend(True)
    made = (
        timeseries.Panel()
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(style))
        .stacking(common.StackingConfig().mode(stacking).group("A"))
        .fill_opacity(30 if panel.stacked else 5)
        .legend(legend.placement(kinds.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"]))
        .tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING))
    )
    return made.data_links([dashboards.DashboardLink(title).url(url) for title, url in links_of(panel)])


def _with_data(made: V, panel: Panel) -> V:
    steps = [models.Threshold(value=None, color=panel.base)]
    steps += [models.Threshold(value=value, color=color) for value, color in panel.thresholds]
    made.thresholds(dashboards.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
    made.datasource(_SOURCE).unit(panel.unit).no_value(panel.nothing)
    if panel.least is not None:
        made.min(panel.least)
    for number, (query, legend) in enumerate(panel.queries):
        made.with_target(_target(number, query, legend, panel))
    return made


def _target(number: int, query: str, legend: str, panel: Panel) -> prometheus.Dataquery:
    target = prometheus.Dataquery().ref_id(chr(ord("A") + number)).datasource(_SOURCE)
    target.expr(_selected(query)).legend_format(legend)
    target.format(PromQueryFormat.TABLE if panel.kind == "table" else PromQueryFormat.TIME_SERIES)
    if panel.kind == "timeseries":
        return target.range().exemplar("_bucket{" in query)
    return target.instant()


def _selected(query: str) -> str:
    for word, selection in SELECTED.items():
        query = query.replace(word, selection)
    return query
