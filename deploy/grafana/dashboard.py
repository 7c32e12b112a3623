"""Makes dashboard.json, the Grafana dashboard of the sidecar, from its three rows of panels.

python -m deploy.grafana.dashboard > deploy/grafana/dashboard.json
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from deploy.grafana.money import MONEY
from deploy.grafana.questions import INSTANCE, SHARE, Panel
from deploy.grafana.service import SERVICE
from deploy.grafana.trust import TRUST

ROWS = {"Money": MONEY, "Service": SERVICE, "Trust": TRUST}
SOURCE = DataSourceRef(type_val="prometheus", uid="$datasource")
LOW, HIGH = 4, 7  # the numbers at the top, and everything else
THIRD = 8


def make_variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """One, several or all of what Prometheus knows by a label."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query(query)
        .datasource(SOURCE)
        .current(VariableOption(selected=True, text="All", value="$__all"))
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        # A wallet's age has no route; all of them are those without one, too.
        .all_value(".*")
    )


def make_thresholds(limits: tuple[float, float] | None) -> dashboard.ThresholdsConfig:
    """Green, yellow, red; upside down where less is worse."""
    steps = [Threshold(color="green")]
    if limits is not None and limits[0] < limits[1]:
        steps += [Threshold(limits[0], "yellow"), Threshold(limits[1], "red")]
    elif limits is not None:
        steps = [
            Threshold(color="red"),
            Threshold(limits[1], "yellow"),
            Threshold(limits[0], "green"),
        ]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def make_number(panel: Panel) -> stat.Panel:
    """The last value, large."""
    return (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
    )


def make_bars(panel: Panel) -> bargauge.Panel:
    """The last value of each series, as a bar."""
    made = (
        bargauge.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .display_mode(BarGaugeDisplayMode.BASIC)
        .orientation(VizOrientation.HORIZONTAL)
        .min(0)
    )
    return made.max(1) if panel.unit == SHARE else made


def make_lines(panel: Panel) -> timeseries.Panel:
    """The values over time; areas are stacked on one another."""
    stacked = panel.kind == "areas"
    return (
        timeseries.Panel()
        .min(0)
        .line_width(1)
        .fill_opacity(40 if stacked else 8)
        .show_points(VisibilityMode.NEVER)
        .stacking(
            common.StackingConfig().mode(StackingMode.NORMAL if stacked else StackingMode.NONE)
        )
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(
            common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
        )
    )


MAKERS: dict[str, Callable[[Panel], stat.Panel | bargauge.Panel | timeseries.Panel]] = {
    "number": make_number,
    "bars": make_bars,
    "lines": make_lines,
    "areas": make_lines,
}


def make_panel(panel: Panel) -> stat.Panel | bargauge.Panel | timeseries.Panel:
    """One panel with its queries."""
    made = (
        MAKERS[panel.kind](panel)
        .title(panel.title)
        .description(panel.says)
        .datasource(SOURCE)
        .unit(panel.unit)
        .thresholds(make_thresholds(panel.limits))
        .span(panel.width)
        .height(HIGH if panel.width == THIRD else LOW)
    )
    for number, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.expression).ref_id("ABCDEFGH"[number])
        target = target.datasource(SOURCE).legend_format(query.legend or "__auto")
        made = made.with_target(
            target.range() if panel.kind in ("lines", "areas") else target.instant()
        )
    return made


def make_dashboard() -> dashboard.Dashboard:
    """All of it."""
    made = (
        dashboard.Dashboard("x402 sidecar")
        .uid("x402-sidecar")
        .description("What apps spend through the sidecar, how they are served, whom it trusts.")
        .tags(["x402", "sidecar"])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .with_variable(
            dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
        )
        .with_variable(
            make_variable("instance", "Instance", "label_values(sidecar_build_info, instance)")
        )
        .with_variable(
            make_variable(
                "route", "Route", f"label_values(sidecar_requests_total{{{INSTANCE}}}, route)"
            )
        )
    )
    for title, panels in ROWS.items():
        made = made.with_row(dashboard.Row(title))
        for panel in panels:
            made = made.with_panel(make_panel(panel))
    return made


if __name__ == "__main__":
    sys.stdout.write(JSONEncoder(sort_keys=True, indent=2).encode(make_dashboard().build()) + "\n")
