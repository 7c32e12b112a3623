"""How apps are served."""

from __future__ import annotations

from deploy.grafana.questions import (
    COUNT,
    INSTANCE,
    PER_MINUTE,
    ROUTE,
    SECONDS,
    SHARE,
    Panel,
    Query,
    per_minute,
    quantile,
)

SERVICE = (
    Panel(
        "Requests",
        "A minute, by the status that the app got; 499: it hung up first.",
        PER_MINUTE,
        (Query(per_minute("sidecar_requests_total", "code_class"), "{{code_class}}"),),
        kind="areas",
    ),
    Panel(
        "Requests by route",
        "A minute.",
        PER_MINUTE,
        (Query(per_minute("sidecar_requests_total", "route"), "{{route}}"),),
        kind="areas",
    ),
    Panel(
        "Errors",
        "Share of each route's requests that ended in a 5xx.",
        SHARE,
        (
            Query(
                "sum by (route) (rate(sidecar_requests_total"
                f'{{{ROUTE}, code_class="5xx"}}[$__rate_interval]))'
                f" / sum by (route) (rate(sidecar_requests_total{{{ROUTE}}}[$__rate_interval]))",
                "{{route}}",
            ),
        ),
    ),
    Panel(
        "Request duration",
        "From an app request's head to its last byte.",
        SECONDS,
        tuple(quantile(share, "sidecar_request_duration_seconds") for share in (0.5, 0.95, 0.99)),
    ),
    Panel(
        "Of which upstream",
        "Waiting for the seller.",
        SECONDS,
        tuple(quantile(share, "sidecar_upstream_duration_seconds") for share in (0.5, 0.95, 0.99)),
    ),
    Panel(
        "Overhead",
        "The sidecar's own part.",
        SECONDS,
        tuple(quantile(share, "sidecar_overhead_seconds") for share in (0.5, 0.95, 0.99)),
    ),
    Panel(
        "Refused at the door",
        "A minute: what was no HTTP to relay, and connections that were closed unheard.",
        PER_MINUTE,
        (Query(per_minute("sidecar_requests_refused_total", "reason", INSTANCE), "{{reason}}"),),
    ),
    Panel(
        "Faults",
        "A minute: commits that failed, background work that ended in a fault.",
        PER_MINUTE,
        (
            Query(
                f"sum(rate(sidecar_ledger_write_failures_total{{{INSTANCE}}}[$__rate_interval]))"
                " * 60",
                "ledger",
            ),
            Query(
                f"sum(rate(sidecar_task_failures_total{{{INSTANCE}}}[$__rate_interval])) * 60",
                "tasks",
            ),
        ),
    ),
    Panel(
        "State",
        "1: so it is. Config: whether the last reload succeeded.",
        COUNT,
        (
            Query(f"max(sidecar_frozen{{{INSTANCE}}})", "frozen"),
            Query(f"max(sidecar_shadow{{{INSTANCE}}})", "shadow mode"),
            Query(f"min(sidecar_config_last_reload_successful{{{INSTANCE}}})", "config"),
            Query(
                f"count by (version) (sidecar_build_info{{{INSTANCE}}})", "instances of {{version}}"
            ),
        ),
        kind="number",
    ),
)
