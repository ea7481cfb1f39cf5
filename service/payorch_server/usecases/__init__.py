"""The use cases, one file per RPC, and what they have in common."""
