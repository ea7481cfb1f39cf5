"""Clock, lifecycle, telemetry and logging: no payment vocabulary."""
