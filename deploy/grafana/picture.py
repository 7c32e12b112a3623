"""Draws the dashboard's panels from what Prometheus answered: for the README, without a Grafana.

    python -m deploy.grafana.picture answers.json dashboard.png

It needs matplotlib. ``answers.json`` is written by tests/deploy/dashboard_picture.py, which runs a
sidecar, a seller and a Prometheus, and calls this.
"""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

# They are in an environment of their own.
import matplotlib as mpl  # type: ignore[import-not-found]
from matplotlib.axes import Axes  # type: ignore[import-not-found]
from matplotlib.figure import Figure  # type: ignore[import-not-found]
from matplotlib.ticker import FuncFormatter, MaxNLocator  # type: ignore[import-not-found]
from PIL import Image  # type: ignore[import-not-found]

Panel: TypeAlias = dict[str, Any]
Points: TypeAlias = Sequence[Sequence[float]]

DPI = 100
COLUMN_PX, LINE_PX, GAP_PX = 66, 31, 8
HEADER_PX, FOOTER_PX = 64, 34
GROUND, CARD, EDGE, GRID = "#111217", "#181b1f", "#2a2d33", "#2a2e35"
TEXT, FAINT = "#d6d9df", "#8e95a3"
GREEN, YELLOW, RED = "#73bf69", "#f2cc0c", "#f2495c"
COLOURS = (GREEN, "#f2cc0c", "#8ab8ff", "#ff9830", "#f2495c", "#b877d9", "#5ac8c8", "#c0a36e")
SHADES = 96
LEGEND_CHARACTERS = 30


def spell(value: float, unit: str) -> str:
    """A value as Grafana writes it."""
    if math.isinf(value) or math.isnan(value):
        return "∞" if value > 0 else "-"
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "s":
        return _duration(value)
    if unit == "h":
        return f"{value:.3g} h" if value < 100 else f"{value / 24:.3g} d"
    number = f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
    if unit.startswith("suffix:"):
        return number + unit.removeprefix("suffix:")
    return f"{number} c/m" if unit == "cpm" else number


def _duration(value_s: float) -> str:
    if value_s == 0:
        return "0 s"
    if abs(value_s) < 1e-3:
        return f"{value_s * 1e6:.3g} µs"
    if abs(value_s) < 1:
        return f"{value_s * 1e3:.3g} ms"
    return f"{value_s:.3g} s"


def shade(value: float, limits: Sequence[float] | None) -> str:
    """Green, yellow or red; upside down where less is worse."""
    if limits is None:
        return GREEN
    first, last = limits
    if first < last:
        return RED if value >= last else YELLOW if value >= first else GREEN
    return RED if value < last else YELLOW if value < first else GREEN


def draw_number(axes: Axes, panel: Panel) -> None:
    """The last values, large; several stand side by side."""
    axes.axis("off")
    known = [each for each in panel["series"] if each["points"]]
    for place, each in enumerate(known):
        value, across = each["points"][-1][1], (place + 0.5) / len(known)
        alone = len(known) == 1
        size, high = (21, 0.46) if alone else (19, 0.56)
        colour = shade(value, panel["limits"])
        axes.text(across, high, spell(value, panel["unit"]), color=colour, size=size, **_MIDDLE)
        if not alone:
            axes.text(across, 0.22, each["name"], color=FAINT, size=8, **_MIDDLE)


_MIDDLE: dict[str, Any] = {"ha": "center", "va": "center"}


def draw_bars(axes: Axes, panel: Panel) -> None:
    """The last value of each series, as a bar under its name."""
    axes.axis("off")
    known = [each for each in panel["series"] if each["points"]]
    values = [each["points"][-1][1] for each in known]
    finite = [value for value in values if math.isfinite(value)]
    whole = 1.0 if panel["unit"] == "percentunit" else max(finite, default=1.0)
    axes.set(xlim=(0, 1), ylim=(len(known) + 0.1, -0.1))
    for place, (each, value) in enumerate(zip(known, values, strict=True)):
        colour = shade(value, panel["limits"])
        width = min(1.0, value / whole) if math.isfinite(value) else 1.0
        axes.text(0, place + 0.22, each["name"], color=TEXT, size=8.5, va="center")
        axes.text(
            1,
            place + 0.22,
            spell(value, panel["unit"]),
            color=colour,
            size=10,
            ha="right",
            va="center",
        )
        axes.barh(place + 0.62, 1, 0.32, color="#22252b")
        axes.barh(place + 0.62, width, 0.32, color=colour)


def draw_lines(axes: Axes, panel: Panel, span: tuple[float, float]) -> None:
    """The values over time, with a legend below."""
    known = [each for each in panel["series"] if any(not math.isnan(v) for _, v in each["points"])]
    _frame(axes, panel["unit"], span)
    if not known:
        axes.text(0.5, 0.5, "No data", transform=axes.transAxes, color=FAINT, size=10, **_MIDDLE)
        return
    if panel["kind"] == "areas":
        _stack(axes, known)
    else:
        for place, each in enumerate(known):
            times, values = zip(*each["points"], strict=True)
            axes.plot(times, values, color=COLOURS[place % len(COLOURS)], linewidth=1.3)
            axes.fill_between(times, values, color=COLOURS[place % len(COLOURS)], alpha=0.06)
    top = axes.get_ylim()[1]
    # All at zero is a line at the bottom of something, not of next to nothing.
    moved = any(value > 0 for each in known for _, value in each["points"])
    axes.set_ylim(0, top if moved else 1)
    _legend(axes, [each["name"] for each in known])


def _frame(axes: Axes, unit: str, span: tuple[float, float]) -> None:
    axes.set_facecolor(CARD)
    axes.set_xlim(0, span[1] - span[0])
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(colors=FAINT, labelsize=7.5, length=0)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: spell(value, unit)))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 3, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda t, _: f"{int(t) // 60}:{int(t) % 60:02d}"))


def _stack(axes: Axes, known: list[dict[str, Any]]) -> None:
    times = sorted({t for each in known for t, _ in each["points"]})
    tables = [dict(map(tuple, each["points"])) for each in known]
    values = [[table.get(t, 0.0) for t in times] for table in tables]
    axes.stackplot(times, values, colors=COLOURS, alpha=0.45, linewidth=0)
    below = [0.0] * len(times)
    for place, row in enumerate(values):
        below = [low + value for low, value in zip(below, row, strict=True)]
        # One that is nowhere would only hide the edge of the one below.
        if any(row):
            axes.plot(times, below, color=COLOURS[place % len(COLOURS)], linewidth=1.0)


def _legend(axes: Axes, names: Sequence[str]) -> None:
    handles = [
        mpl.patches.Patch(color=COLOURS[place % len(COLOURS)]) for place in range(len(names))
    ]
    shown = [
        name if len(name) <= LEGEND_CHARACTERS else f"{name[: LEGEND_CHARACTERS - 1]}…"
        for name in names
    ]
    axes.legend(
        handles,
        shown,
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.11),
        ncols=3 if max(map(len, shown)) < 20 else 2,
        frameon=False,
        fontsize=7.2,
        labelcolor=TEXT,
        handlelength=1.0,
        handleheight=0.25,
        columnspacing=1.2,
        labelspacing=0.25,
    )


def draw(answers: dict[str, Any]) -> Figure:
    """All panels where the dashboard has them."""
    panels = answers["panels"]
    lines = max(panel["y"] + panel["h"] for panel in panels)
    width, height = 24 * COLUMN_PX + GAP_PX, lines * LINE_PX + HEADER_PX + FOOTER_PX
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=GROUND)
    canvas = figure.add_axes((0, 0, 1, 1))
    canvas.set(xlim=(0, width), ylim=(height, 0))
    canvas.axis("off")
    canvas.text(GAP_PX + 4, 26, answers["title"], color=TEXT, size=15, va="center", weight="bold")
    canvas.text(GAP_PX + 4, 49, answers["says"], color=FAINT, size=9, va="center")
    canvas.text(GAP_PX + 4, height - 16, answers["caption"], color=FAINT, size=9, va="center")
    for panel in panels:
        left, top = GAP_PX + panel["x"] * COLUMN_PX, HEADER_PX + panel["y"] * LINE_PX
        wide, high = panel["w"] * COLUMN_PX - GAP_PX, panel["h"] * LINE_PX - GAP_PX
        if panel["kind"] == "row":
            canvas.text(
                left, top + 13, panel["title"], color=TEXT, size=12, va="center", weight="bold"
            )
            continue
        canvas.add_patch(
            mpl.patches.FancyBboxPatch(
                (left, top), wide, high, boxstyle="round,pad=0,rounding_size=3", fc=CARD, ec=EDGE
            )
        )
        canvas.text(left + 10, top + 15, panel["title"], color=TEXT, size=9.5, va="center")
        plot = panel["kind"] in ("lines", "areas")
        inset = (80, 34, 14, 24 + _legend_px(panel)) if plot else (14, 30, 14, 10)
        axes = figure.add_axes(
            (
                (left + inset[0]) / width,
                1 - (top + high - inset[3]) / height,
                (wide - inset[0] - inset[2]) / width,
                (high - inset[1] - inset[3]) / height,
            )
        )
        match panel["kind"]:
            case "number":
                draw_number(axes, panel)
            case "bars":
                draw_bars(axes, panel)
            case _:
                draw_lines(axes, panel, answers["span"])
    return figure


def _legend_px(panel: Panel) -> int:
    names = [each["name"] for each in panel["series"] if each["points"]]
    columns = 3 if max(map(len, names), default=0) < 20 else 2
    return 6 + 14 * math.ceil(len(names) / columns)


def main(source: str, target: str) -> None:
    """Draw, in so few shades that the file stays small."""
    mpl.rcParams["font.family"] = "DejaVu Sans"
    drawn = io.BytesIO()
    draw(json.loads(Path(source).read_text())).savefig(drawn, dpi=DPI, facecolor=GROUND)
    image = Image.open(drawn).convert("RGB").quantize(SHADES, dither=Image.Dither.NONE)
    image.save(target, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
