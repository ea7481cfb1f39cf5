"""Zuora's operations: each module builds a call and parses its answer, purely."""
