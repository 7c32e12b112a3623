"""The numbers that have sensible defaults: limits, recovery, balances, log."""

from __future__ import annotations

from sidecar.config.fields import Field
from sidecar.config.model import KIB, MIB, BalancesConfig, Limits, LogConfig, RecoveryConfig

GIB = 1024 * MIB
HOUR_S = 3_600
DAY_S = 24 * HOUR_S


def read_limits(field: Field) -> Limits:
    """What one app, one request or one connection may take."""
    section = field.section(
        (
            "replay_bytes_max",
            "replay_memory_max",
            "header_bytes_max",
            "connections_max",
            "caller_requests_max",
            "header_wait_s",
            "body_idle_s",
            "keepalive_s",
            "drain_wait_s",
            "fast_lane",
        )
    )
    usual = Limits()
    limits = Limits(
        replay_bytes_max=section.at("replay_bytes_max").size(usual.replay_bytes_max, 0, GIB),
        replay_memory_max=section.at("replay_memory_max").size(
            usual.replay_memory_max, 0, 64 * GIB
        ),
        header_bytes_max=section.at("header_bytes_max").size(usual.header_bytes_max, 8 * KIB, MIB),
        connections_max=section.at("connections_max").integer(usual.connections_max, 1, 65_536),
        caller_requests_max=section.at("caller_requests_max").integer(
            usual.caller_requests_max, 1, 65_536
        ),
        header_wait_s=section.at("header_wait_s").seconds(usual.header_wait_s, 1, HOUR_S),
        body_idle_s=section.at("body_idle_s").seconds(usual.body_idle_s, 1, HOUR_S),
        keepalive_s=section.at("keepalive_s").seconds(usual.keepalive_s, 1, HOUR_S),
        drain_wait_s=section.at("drain_wait_s").seconds(usual.drain_wait_s, 0, HOUR_S),
        fast_lane=section.at("fast_lane").flag(usual.fast_lane),
    )
    if limits.replay_memory_max < limits.replay_bytes_max:
        section.at("replay_memory_max").mistake(
            "less than replay_bytes_max, so that not even one body fits",
            "raise it, or lower replay_bytes_max",
        )
    return limits


def read_recovery(field: Field) -> RecoveryConfig:
    """How often what is in doubt is looked at."""
    section = field.section(("interval_s", "undelivered_ttl_s", "reconcile_interval_s"))
    usual = RecoveryConfig()
    return RecoveryConfig(
        interval_s=section.at("interval_s").seconds(usual.interval_s, 0.1, HOUR_S),
        undelivered_ttl_s=section.at("undelivered_ttl_s").seconds(
            usual.undelivered_ttl_s, 1, DAY_S
        ),
        reconcile_interval_s=section.at("reconcile_interval_s").seconds(
            usual.reconcile_interval_s, 1, DAY_S
        ),
    )


def read_balances(field: Field) -> BalancesConfig:
    """How often balances are read."""
    section = field.section(("interval_s",))
    usual = BalancesConfig()
    return BalancesConfig(section.at("interval_s").seconds(usual.interval_s, 1, DAY_S))


def read_log(field: Field) -> LogConfig:
    """How the log is written."""
    section = field.section(("format", "level"))
    return LogConfig(
        format=section.at("format").choice(("auto", "json", "console"), "auto"),
        level=section.at("level").choice(("debug", "info", "warning", "error"), "info"),
    )
