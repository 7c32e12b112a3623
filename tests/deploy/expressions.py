"""What a PromQL expression asks for: its metrics, and the labels that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sidecar.metrics import METRICS

# Prometheus adds the first two itself; a process of Python is described by its client library.
TARGET = frozenset({"job", "instance"})
FOREIGN = {"up": TARGET, "process_start_time_seconds": TARGET}
ALERTS = "ALERTS"

_METRIC = re.compile(r"\b(sidecar_\w+|process_\w+|up|ALERTS)\b(?!\s*\()\s*(?:\{([^}]*)\})?")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_GROUPED = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")


def catalogue() -> dict[str, frozenset[str]]:
    """Every series that the sidecar shows, and its labels."""
    series: dict[str, frozenset[str]] = dict(FOREIGN)
    for metric in METRICS:
        labels = frozenset(metric.labels) | TARGET
        if metric.kind == "histogram":
            series[f"{metric.name}_bucket"] = labels | {"le"}
            series[f"{metric.name}_count"] = series[f"{metric.name}_sum"] = labels
        else:
            series[metric.name] = labels
    return series


def asked(expression: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Each metric, with the labels in its braces."""
    for found in _METRIC.finditer(expression):
        yield found[1], frozenset(_LABEL.findall(found[2] or ""))


def grouped(expression: str) -> frozenset[str]:
    """The labels by which its parts are added up or matched."""
    return frozenset(
        name.strip()
        for found in _GROUPED.finditer(expression)
        for name in found[1].split(",")
        if name.strip()
    )


def mistakes(expression: str) -> list[str]:
    """What it asks for and nobody shows."""
    series = catalogue()
    found, known = [], set[str]()
    for name, labels in asked(expression):
        if name == ALERTS:
            known |= labels | {"alertname", "severity"}
        elif name not in series:
            found.append(f"no metric is called {name}")
        else:
            known |= series[name]
            found += [f"{name} has no label {label}" for label in sorted(labels - series[name])]
    strange = grouped(expression) - known
    return found + [f"nothing here has a label {label}" for label in sorted(strange)]
