"""Spans, metrics and log lines: how they are made, filtered and exported."""
