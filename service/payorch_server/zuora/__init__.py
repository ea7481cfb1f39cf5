"""Everything that speaks with Zuora; the only HTTP client of the service."""
