"""A real Prometheus: what it has scraped, and which of the alerts it was given fire.

It starts from the config that is shipped (deploy/prometheus), told only whom to scrape, how often,
and by which rules. ``hurried`` is how minutes become moments: every duration of the rules, and
nothing else, is divided by the same number.
"""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from tests.world.processes import ROOT, WORLD, Process, free_port, installed, wait_until

SHIPPED = ROOT / "deploy/prometheus"
RULES = SHIPPED / "rules.yaml"
SCRAPE_S = 0.5
QUERY_WAIT_S = 30.0

_DURATION = re.compile(r"\b([0-9]+)([smhd])\b")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def program(name: str) -> str:
    """The path of ``prometheus`` or ``promtool``."""
    return shutil.which(name) or str(installed(WORLD / "prometheus/usr/bin" / name))


def hurried(rules: str, divisor: int) -> str:
    """These rules, with every window, pause and interval divided."""

    def shorter(duration: re.Match[str]) -> str:
        return f"{int(duration[1]) * _SECONDS[duration[2]] * 1000 // divisor}ms"

    document = yaml.safe_load(rules)
    for group in document["groups"]:
        for rule in group["rules"]:
            for key in ("expr", "for"):
                if key in rule:
                    rule[key] = _DURATION.sub(shorter, rule[key])
    return yaml.safe_dump(document)


@dataclass(frozen=True, slots=True)
class Series:
    """One line of an answer: its labels, and its values by the second."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]

    @property
    def value(self) -> float:
        """The last value."""
        return self.points[-1][1]


class QueryError(Exception):
    """Prometheus refused an expression."""


class Prometheus:
    """It scrapes these targets, and holds them against these rules."""

    def __init__(self, folder: Path, targets: Sequence[str], rules: str) -> None:
        folder.mkdir()
        (folder / "rules.yaml").write_text(rules)
        config = yaml.safe_load((SHIPPED / "prometheus.yaml").read_text())
        interval = f"{SCRAPE_S * 1000:.0f}ms"
        config["global"] = {"scrape_interval": interval, "evaluation_interval": interval}
        config["scrape_configs"][0]["static_configs"] = [{"targets": list(targets)}]
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        self.port = free_port()
        self.started_at = time.time()
        self._process = Process(
            [
                program("prometheus"),
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            folder / "prometheus.log",
        )

    def __enter__(self) -> Self:
        try:
            self._process.wait_for_port(self.port)
            wait_until(self._has_scraped, f"Prometheus has scraped:\n{self._process.output()}")
        except BaseException:
            self._process.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    def query(self, expression: str) -> list[Series]:
        """What this is now. QueryError when it cannot be read."""
        found = self._ask("query", query=expression)
        if found["resultType"] == "scalar":
            return [Series({}, [_point(found["result"])])]
        return [Series(each["metric"], [_point(each["value"])]) for each in found["result"]]

    def query_range(self, expression: str, since: float, step_s: float) -> list[Series]:
        """What this was, from then until now."""
        found = self._ask(
            "query_range", query=expression, start=since, end=time.time(), step=step_s
        )
        return [
            Series(each["metric"], [_point(point) for point in each["values"]])
            for each in found["result"]
        ]

    def number(self, expression: str) -> float:
        """The only value of this; 0 while there is none."""
        found = self.query(expression)
        assert len(found) < 2, found
        return found[0].value if found else 0.0

    def has_fired(self) -> set[str]:
        """The names of all alerts that have fired since it was started."""
        window_s = int(time.time() - self.started_at) + 1
        fired = self.query(f'last_over_time(ALERTS{{alertstate="firing"}}[{window_s}s])')
        return {series.labels["alertname"] for series in fired}

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that fire or are about to, with what they tell people."""
        found: list[dict[str, Any]] = self._ask("alerts")["alerts"]
        return found

    def _has_scraped(self) -> bool:
        try:
            return bool(self.query("up == 1"))
        except QueryError:
            # It answers before it can.
            return False

    def _ask(self, what: str, **parameters: object) -> Any:
        # Posted, for a long expression does not fit into every server's idea of a URL.
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/{what}",
            data=urllib.parse.urlencode(parameters).encode() if parameters else None,
        )
        try:
            with urllib.request.urlopen(request, timeout=QUERY_WAIT_S) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise QueryError(f"{parameters}: {error.read().decode()}") from None


def _point(pair: Sequence[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
