"""Makes deploy/pictures/dashboard.png: the dashboard's own queries, asked of real traffic.

    .venv/bin/python -m tests.deploy.dashboard_picture [SECONDS]

A sandbox seller, a sidecar and a Prometheus run for some minutes while apps come and go. What
Prometheus then answers is drawn by deploy/grafana/picture.py, in an environment of its own under
.world/, for matplotlib is large and nothing else needs it.
"""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.deploy.stage import Stage, staged
from tests.world.processes import ROOT, WORLD
from tests.world.prometheus import RULES

DASHBOARD = ROOT / "deploy/grafana/dashboard.json"
PICTURE = ROOT / "deploy/pictures/dashboard.png"
VENV = WORLD / "picture"
MATPLOTLIB = "matplotlib==3.11.2"
SHOWN_S = 300
WARM_UP_S = 25
KINDS = {"stat": "number", "bargauge": "bars", "timeseries": "lines", "row": "row"}


def notebook(stage: Stage, ends_at: float, total_s: float) -> None:
    """Somebody at work: now more, now less, and with credit at a vendor."""
    while (left_s := ends_at - time.monotonic()) > 0:
        busy = 0.55 + 0.45 * math.sin(left_s / total_s * 12)
        stage.chat(random.choice(["seller", "venice", "venice-key"]))
        stage.models("openai")
        time.sleep(random.uniform(0.02, 0.35) / busy)


def agent(stage: Stage, ends_at: float, total_s: float) -> None:
    """A program that begins late, spends fast, and stumbles over what sellers do."""
    time.sleep(total_s * 0.2)
    while (left := (ends_at - time.monotonic()) / total_s) > 0:
        model = "sandbox-small"
        if random.random() < 0.06:
            model = "fault:too_expensive:1"
        elif 0.2 < left < 0.45 and random.random() < 0.08:
            model = random.choice(["fault:upfront_500:3", "fault:settle_then_500:3"])
        stage.chat("seller", "agent", model)
        time.sleep(random.uniform(0.05, 0.3) if left > 0.5 else random.uniform(0.3, 0.9))


def strangers(stage: Stage, ends_at: float, total_s: float) -> None:
    """Somebody without a token."""
    while time.monotonic() < ends_at:
        stage.chat("seller", "a-token-of-nobody")
        time.sleep(random.uniform(1, 12))


def filled(expression: str, window_s: int) -> str:
    """An expression without Grafana's words; a day's pace becomes that of the time shown."""
    for word, value in {
        "$instance": ".*",
        "$route": ".*",
        "$__rate_interval": "20s",
        "$__range": f"{window_s}s",
        "[1h]": f"[{window_s}s]",
        "offset 15m": "offset 5s",
        "[1d:15m]": f"[{window_s}s:5s]",
        "24 * ": f"{window_s / 3600:.6f} * ",
    }.items():
        expression = expression.replace(word, value)
    return expression


def named(legend: str, labels: dict[str, str]) -> str:
    """What Grafana would write under the panel."""
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), legend).strip()


def answers(stage: Stage, window_s: int) -> dict[str, Any]:
    """Every panel with what Prometheus says to its queries."""
    dashboard = json.loads(DASHBOARD.read_text())
    until = time.time()
    since = until - window_s
    panels = []
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        lines = panel["type"] == "timeseries"
        series = []
        for target in panel.get("targets", ()):
            expression = filled(target["expr"], window_s)
            found = (
                stage.prometheus.query_range(expression, since, 2)
                if lines
                else stage.prometheus.query(expression)
            )
            series += [
                {
                    "name": named(target["legendFormat"], dict(each.labels)),
                    "points": [(t - since, value) for t, value in each.points],
                }
                for each in found
            ]
        custom = panel.get("fieldConfig", {}).get("defaults", {})
        steps = [step["value"] for step in custom.get("thresholds", {}).get("steps", ())][1:]
        falls = custom.get("thresholds", {}).get("steps", [{}])[0].get("color") == "red"
        stacked = custom.get("custom", {}).get("stacking", {}).get("mode") == "normal"
        panels.append(
            {
                "title": panel["title"],
                "unit": custom.get("unit", ""),
                "kind": "areas" if stacked else KINDS[panel["type"]],
                "limits": (steps[::-1] if falls else steps) or None,
                **place,
                "series": series,
            }
        )
    return {
        "title": dashboard["title"],
        "says": dashboard["description"],
        "caption": (
            "Drawn by deploy/grafana/picture.py from what a real Prometheus answered to the "
            "dashboard's queries, after minutes of a real sidecar and a sandbox seller; no "
            "screenshot of Grafana. Paces, counts and hours left are of the time shown."
        ),
        "span": (0, window_s),
        "panels": panels,
    }


def ensure_matplotlib() -> Path:
    """A Python that has it."""
    python = VENV / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", MATPLOTLIB], check=True)
    return python


def main(seconds: int = SHOWN_S) -> None:
    """Run it all, and draw."""
    python = ensure_matplotlib()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rules = RULES.read_text()
        sizes = {"price": "0.002 USDC", "day": "20.00 USDC", "agent_day": "0.80 USDC"}
        with staged(folder, rules, **sizes) as stage:
            # The first top-up would dwarf everything else that is shown.
            stage.chat("venice")
            time.sleep(WARM_UP_S)
            ends_at = time.monotonic() + seconds
            with ThreadPoolExecutor(4) as pool:
                apps = [
                    pool.submit(app, stage, ends_at, seconds)
                    for app in (notebook, notebook, agent, strangers)
                ]
                for app in apps:
                    app.result()
            (folder / "answers.json").write_text(json.dumps(answers(stage, seconds)))
        PICTURE.parent.mkdir(exist_ok=True)
        subprocess.run(
            [python, "-m", "deploy.grafana.picture", folder / "answers.json", PICTURE],
            cwd=ROOT,
            check=True,
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
