"""One intent, one idempotency key, one execution."""
