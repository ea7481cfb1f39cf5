"""Client of the payorch payment orchestration service."""
