"""Which of the two formats of the exposition a scraper prefers."""

from __future__ import annotations

from collections.abc import Sequence


def prefers_openmetrics(accept: str) -> bool:
    """RFC 9110 12.5.1, for the two formats there are."""
    weights = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for media_range in accept.split(","):
        name, *parameters = (part.strip().lower() for part in media_range.split(";"))
        if name in weights:
            weights[name] = max(weights[name], _weight(parameters))
    return weights["application/openmetrics-text"] > weights["text/plain"]


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
