from typing import Final

BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0)
"""Bounds of every histogram of durations, seconds.

Source: OpenTelemetry, semantic conventions for RPC metrics (read 2026-11-20); the last two for executions, which may
take a minute.
"""
