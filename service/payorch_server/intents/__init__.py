"""Intents: each is executed once, recorded in the store, and joined or replayed by equal calls."""
