"""Callers of one service, each with a token of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.authority import AUDIENCE, ISSUER, Issuer, key_set

TOKENS = Issuer()
NAMESPACE = "shop"


ISSUER_NAME = "own"
"""Of the issuer of callers' tokens in the configuration."""


def access_settings(folder: Path, callers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return an access policy for callers by name, all in one namespace, and write the key set that it needs.

    Args:
        folder: For the key set.
        callers: The members of each entry over one with every right.
    """
    keys = folder / "keys.json"
    keys.write_bytes(key_set(TOKENS))
    everything = {
        "namespace": NAMESPACE,
        "rpcs": ["*"],
        "tenants": {"*": {"entities": ["*"], "orgs": ["*"]}},
        "move_money": True,
    }
    entries = [{"caller": f"jwt:{name}"} | everything | members for name, members in callers.items()]
    jwt = {"key_set_file": str(keys), "issuer": ISSUER, "audience": AUDIENCE}
    return {"identity": {"jwt": {ISSUER_NAME: jwt}}, "access": {"callers": entries}}


def as_caller(name: str) -> dict[str, Any]:
    """Return what makes a call the caller's: `stub.GetIntent(request, **as_caller("us"))`."""
    return {"metadata": (("authorization", f"Bearer {TOKENS.token(name)}"),), "timeout": 15}
