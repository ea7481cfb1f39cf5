"""Reconciles the emulator's ledger with the answers that callers received."""

import json
import ssl
import urllib.request
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from payorch_server.intents.executor import idempotency_key
from payorch_server.model.identifiers import RequestId
from zuora_emulator.ledger import short_hash

from programs.cluster.fleet.load import Call
from programs.cluster.node import ADDRESS

_TIMEOUT_S: Final = 120.0
_MOST_SHOWN: Final = 3


def executed(authority: Path) -> list[dict[str, Any]]:
    """Return the emulator's ledger without its tokens."""
    context = ssl.create_default_context(cafile=str(authority))
    with urllib.request.urlopen(f"https://{ADDRESS}/_emulator/ledger", context=context, timeout=_TIMEOUT_S) as answer:
        entries: list[dict[str, Any]] = json.load(answer)["entries"]
    return [entry for entry in entries if entry["operation"] != "token"]


def problems(calls: Sequence[Call], entries: Sequence[dict[str, Any]]) -> list[str]:
    """Return a sentence for each kind of discrepancy: double executions, lost ones, and false answers."""
    by_key: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        by_key[str(entry["idempotency_key"])].append(entry)
    found: dict[str, list[str]] = defaultdict(list)
    called_keys = set()
    for call in calls:
        key = key_of(call)
        called_keys.add(key)
        if discrepancy := _discrepancy(call, by_key.get(key, [])):
            found[discrepancy].append(call.request_id)
    if unknown := by_key.keys() - called_keys:
        found["were executed that no caller sent"] = sorted(unknown)
    return [f"{len(ids)} calls {discrepancy}: {', '.join(ids[:_MOST_SHOWN])}" for discrepancy, ids in found.items()]


def key_of(call: Call) -> str:
    """Return the idempotency key of a call."""
    return idempotency_key(namespace=call.namespace, rpc=call.method, request_id=RequestId(call.request_id))


def _discrepancy(call: Call, entries: Sequence[dict[str, Any]]) -> str:
    """Return how a call's answer contradicts its ledger entries; empty if they agree."""
    if len(entries) > 1:
        return "were executed more than once"
    if call.effect is None:
        return f"were executed although the answer was {call.denial}" if entries and call.denial else ""
    if not entries:
        return "were answered with success and never executed"
    effects = entries[0]["effects"]
    answered = {
        "session_token_sha256": short_hash(call.effect.session_token) if call.effect.session_token else None,
        "payment_method_id": call.effect.payment_method_id or None,
        "payment_id": call.effect.payment_id or None,
    }
    differs = any(effects.get(name) != value for name, value in answered.items())
    return "were answered with an effect other than the executed one" if differs or not any(answered.values()) else ""
