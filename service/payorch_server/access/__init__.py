"""The access policy: callers and their rights."""
