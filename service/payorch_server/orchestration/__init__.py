"""The use cases: one file per RPC, routing, intents."""
