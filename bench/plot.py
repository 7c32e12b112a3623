"""The plot for the README: what a chat call costs through each proxy, as a multiple of nginx's.

Written by hand, so that no plotting library is needed for a few lines and dots. It has no
background of its own, and its ink follows the reader's light or dark page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.field import Book
from bench.figures import NGINX, SIDECAR, added_beside, beside, number

ROW, TOP, BOTTOM = 26, 70, 40
NAMES, PANEL, GAP = 150, 280, 40
WIDTH = NAMES + 2 * PANEL + GAP + 20
# The values have a column of their own, right of the axis.
AXIS = PANEL - 60
STYLE = """\
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #424a53 }
.head { font-weight: 600; fill: #1f2328 }
.small { font-size: 11px; fill: #6e7781 }
.ours { font-weight: 600; fill: #0969da }
.grid { stroke: #d0d7de } .zero { stroke: #8c959f }
.stem { stroke: #afb8c1; stroke-width: 3 } .dot { fill: #6e7781 }
.stem.ours { stroke: #0969da } .dot.ours { fill: #0969da }
@media (prefers-color-scheme: dark) {
text { fill: #c9d1d9 } .head { fill: #f0f6fc } .small { fill: #8b949e } .ours { fill: #58a6ff }
.grid { stroke: #30363d } .zero { stroke: #6e7681 }
.stem { stroke: #484f58 } .dot { fill: #8b949e }
.stem.ours { stroke: #58a6ff } .dot.ours { fill: #58a6ff }
}
"""


@dataclass(frozen=True, slots=True)
class Panel:
    """One measurement: a dot for each peer, on a logarithmic axis that begins below 1."""

    heading: str
    left: int
    values: dict[str, float]
    most: float

    def at(self, value: float) -> float:
        """Where a value stands."""
        least = math.log(0.8)
        part = (math.log(max(value, 0.8)) - least) / (math.log(self.most) - least)
        return self.left + part * AXIS

    def drawn(self, peers: Sequence[str]) -> list[str]:
        """The grid, and a row for each peer that has a value."""
        low = TOP + len(peers) * ROW
        lines = [f'<text class="head" x="{self.left}" y="24">{escape(self.heading)}</text>']
        tick = 1
        while tick <= self.most:
            x, kind = self.at(tick), "zero" if tick == 1 else "grid"
            lines += [
                f'<path class="{kind}" d="M{x:.1f} {TOP - 10}V{low}"/>',
                f'<text class="small" text-anchor="middle" x="{x:.1f}" y="{TOP - 18}">'
                f"{tick:,}&#215;</text>",
            ]
            tick *= 10
        for row, peer in enumerate(peers):
            if peer in self.values:
                lines += self._row(peer, TOP + row * ROW + ROW // 2)
        return lines

    def _row(self, peer: str, y: int) -> list[str]:
        value = self.values[peer]
        x, ours = self.at(value), " ours" if peer == SIDECAR else ""
        return [
            f'<path class="stem{ours}" d="M{self.at(1):.1f} {y}H{x:.1f}"/>',
            f'<circle class="dot{ours}" cx="{x:.1f}" cy="{y}" r="5"/>',
            f'<text class="value{ours}" text-anchor="end" x="{self.left + PANEL}" y="{y + 4}">'
            f"{number(value)}&#215;</text>",
        ]


def _power_of_ten(value: float) -> float:
    """The next one, or the half of it where that is enough."""
    power = 10.0 ** math.ceil(math.log10(value))
    return power / 2 if value <= power / 2 else power


def svg(book: Book, peers: Sequence[str]) -> str:
    """The picture: of the sidecar's own rows, only the one with everything on."""
    shown = [peer for peer in peers if peer == SIDECAR or not peer.startswith(SIDECAR)]
    measured = {
        "CPU of a chat call": {peer: beside(book, "cpu_us", peer, NGINX) for peer in shown},
        "Latency it adds": {peer: added_beside(book, "p50_us", peer, NGINX) for peer in shown},
    }
    known = [
        {peer: value for peer, value in values.items() if value is not None}
        for values in measured.values()
    ]
    rows = sorted((peer for peer in shown if peer in known[0]), key=lambda peer: known[0][peer])
    most = _power_of_ten(max((2.0, *(value for values in known for value in values.values()))))
    height = TOP + len(rows) * ROW + BOTTOM
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">',
        "<title>What a chat call costs through each proxy, as a multiple of nginx's</title>",
        f"<style>\n{STYLE}</style>",
    ]
    for row, peer in enumerate(rows):
        kind = ' class="ours"' if peer == SIDECAR else ""
        y = TOP + row * ROW + ROW // 2 + 4
        lines.append(
            f'<text{kind} text-anchor="end" x="{NAMES - 12}" y="{y}">{escape(peer)}</text>'
        )
    for at, (heading, values) in enumerate(zip(measured, known, strict=True)):
        lines += Panel(heading, NAMES + at * (PANEL + GAP), values, most).drawn(rows)
    lines += [
        f'<text class="small" x="{NAMES}" y="{height - 12}">Multiples of what one nginx worker '
        "takes, each step of the grid ten times the last; further left is better.</text>",
        "</svg>",
        "",
    ]
    return "\n".join(lines)
