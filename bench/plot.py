"""The plot for the README: two bar charts in one SVG, each bar a multiple of nginx's.

Written by hand, so that no plotting library is needed for a few rectangles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from bench.field import Book
from bench.report import NGINX, added, number, ratio

WIDTH, ROW, LEFT, TOP = 760, 24, 170, 46
BAR_MOST = WIDTH - LEFT - 90
OURS, THEIRS, INK = "#1f6feb", "#8c959f", "#57606a"


def _bars(heading: str, values: dict[str, float], top: int) -> list[str]:
    """On a logarithmic scale from 1/4: what is compared spans three orders of magnitude."""
    least, most = math.log(0.25), math.log(max(4.0, *values.values()))
    drawn = [f'<text x="8" y="{top - 14}" font-weight="bold" fill="{INK}">{escape(heading)}</text>']
    for at, (peer, value) in enumerate(values.items()):
        y = top + at * ROW
        length = BAR_MOST * (math.log(max(value, 0.26)) - least) / (most - least)
        colour = OURS if peer.startswith("sidecar") else THEIRS
        drawn += [
            f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end" fill="{INK}">'
            f"{escape(peer)}</text>",
            f'<rect x="{LEFT}" y="{y}" width="{length:.0f}" height="{ROW - 7}" fill="{colour}"/>',
            f'<text x="{LEFT + length + 6:.0f}" y="{y + 13}" fill="{INK}">{number(value)}</text>',
        ]
    return drawn


def svg(book: Book, peers: Sequence[str]) -> str:
    """The picture; without nginx's figures there is nothing to draw against."""
    cpu = {peer: ratio(book.median(peer, "cpu_us"), book.median(NGINX, "cpu_us")) for peer in peers}
    wait = {
        peer: ratio(added(book, peer, "p50_us"), added(book, NGINX, "p50_us")) for peer in peers
    }
    drawn: list[str] = []
    top = TOP
    for heading, ratios in (
        ("CPU of a chat call, x nginx (log scale, shorter is better)", cpu),
        ("Latency added to a chat call, x nginx (log scale, shorter is better)", wait),
    ):
        values = {peer: value for peer, value in ratios.items() if value}
        if values:
            drawn += _bars(heading, values, top)
            top += len(values) * ROW + TOP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top - 20}" '
            'font-family="system-ui, sans-serif" font-size="13">',
            '<rect width="100%" height="100%" fill="white"/>',
            *drawn,
            "</svg>",
            "",
        ]
    )
