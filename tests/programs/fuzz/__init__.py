"""Coverage-guided fuzzing of every parser; see `tests/fuzz`."""
