"""Every protection is taken away once, and the search must notice: a suite that cannot fail proves nothing."""

import dataclasses
import logging as stdlib_logging
import re
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from payorch_server.calls.recording import CallRecord
from payorch_server.model import errors
from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - the protection is taken away
from payorch_server.rpc import decode, decode_payment_method, health, request_fingerprint, server
from payorch_server.rpc.interceptors import boundary, payloads
from payorch_server.store import keyring
from payorch_server.telemetry import export, logging
from payorch_server.zuora import messages as calls
from payorch_server.zuora import quotes, transport
from zuora_emulator import journal

from canary import scenarios
from canary.canaries import Canary
from canary.search import hits
from canary.watch import SINKS

Patch = pytest.MonkeyPatch
FREE = "CanaryInAPlaceWithoutProtection"


@dataclasses.dataclass(frozen=True)
class Removal:
    """A protection, how to take it away, and what is done then."""

    sink: str
    protection: str
    remove: Callable[[Patch], None]
    scenario: Callable[[Path], Awaitable[scenarios.Seen]]
    canary: str = ""
    """A canary of its own, where the protection is that nothing is written at all."""


def _redactor(patch: Patch) -> None:
    patch.setattr(payloads, "redacted", str)


def _scrubber(patch: Patch) -> None:
    patch.setattr(logging, "scrub", lambda event: event)


def _words(patch: Patch) -> None:
    patch.setattr(quotes.Quotes, "mask_text", lambda _self, text: text)


def _keys_of_maps(patch: Patch) -> None:
    patch.setattr(errors, "_KEY", re.compile("(?!)"))


def _constant_text(patch: Patch) -> None:
    patch.setattr(boundary, "where", str)


def _words_of_libraries(patch: Patch) -> None:
    patch.setattr(logging, "_LibraryHandler", partial(_Faithful))


class _Faithful(stdlib_logging.Handler):
    def emit(self, record: stdlib_logging.LogRecord) -> None:
        sys.stderr.write(self.format(record))


def _catalogue(patch: Patch) -> None:
    original = boundary.status_of

    def with_private_text(error: Any, *, track_id: Any) -> Any:
        status = original(error, track_id=track_id)
        status.message = error.failure.detail
        return status

    patch.setattr(boundary, "status_of", with_private_text)


def _plain_trailers(patch: Patch) -> None:
    patch.setattr(boundary, "trailers_of", lambda error: (("payorch-detail", error.failure.detail),))


def _reason_for_spans(patch: Patch) -> None:
    original = boundary._end_span

    def with_private_text(span: Any, record: CallRecord, **more: Any) -> None:
        original(span, msgspec.structs.replace(record, reason=record.detail), **more)

    patch.setattr(boundary, "_end_span", with_private_text)


def _span_attributes(patch: Patch) -> None:
    original = transport.Transport.post

    async def telling(self: Any, post: Any, **named: Any) -> Any:
        named["span"].set_attribute("http.request.body", post.body.decode())
        return await original(self, post, **named)

    patch.setattr(transport.Transport, "post", telling)
    patch.setattr(export, "strip_unlisted", lambda span: span)


def _secret(patch: Patch) -> None:
    patch.setattr(Secret, "__repr__", lambda self: repr(reveal(self)))


def _secret_of_decoding(patch: Patch) -> None:
    for module in (decode, decode_payment_method):
        patch.setattr(module, "Secret", lambda value: value)


def _headers_of_a_post(patch: Patch) -> None:
    patch.setattr(transport.HttpPost, "__repr__", lambda self: repr(dict(self.headers)))


def _preview(patch: Patch) -> None:
    patch.setattr(calls, "_PREVIEW", calls._WIRE)


def _seal(patch: Patch) -> None:
    patch.setattr(keyring.Keyring, "seal", lambda self, value, **_: (self.key_ids[0], value))


def _fingerprint(patch: Patch) -> None:
    patch.setattr(keyring.Keyring, "keyed_hash", lambda _self, _key_id, value: value)
    patch.setattr(request_fingerprint, "_SENSITIVE_BYTES", 100_000)


def _token_name(patch: Patch) -> None:
    for module in (decode, decode_payment_method):
        patch.setattr(module, "token_name", lambda **names: names["transaction_id"])


def _journal(patch: Patch) -> None:
    patch.setattr(journal, "_masked_field", lambda _name, value: str(value))


def _journal_headers(patch: Patch) -> None:
    patch.setattr(journal, "SHOWN_HEADERS", journal.SHOWN_HEADERS | {"authorization"})


def _journal_names(patch: Patch) -> None:
    class All(frozenset[str]):
        def __contains__(self, name: object) -> bool:
            return True

    patch.setattr(journal, "NAMED_FIELDS", All())


def _reflection(patch: Patch) -> None:
    original = server.reflection.enable_server_reflection
    patch.setattr(
        server.reflection, "enable_server_reflection", lambda names, made: original((*names, f"payorch.{FREE}"), made)
    )


def _admin(patch: Patch) -> None:
    patch.setattr(health.Health, "states", property(lambda _self: {FREE: True}))


def _hook(_patch: Patch) -> None:
    """The process is told to do without."""


# One call of each RPC, and a method whose names of fields are the caller's own.
arms = partial(scenarios.every_arm, only=("store_only", "no_charge", "card", "custom"))
quietly = partial(arms, sweeps=False)
console = partial(quietly, log_format="console")
REMOVALS = [
    Removal("log", "the redactor, as JSON", _redactor, quietly),
    Removal("log", "the redactor, for people", _redactor, console),
    Removal("log", "the scrubber", _scrubber, scenarios.telling),
    Removal("log", "the mask over quoted words", _words, scenarios.quoting),
    Removal("log", "the mask over keys of maps", _keys_of_maps, scenarios.misusing),
    Removal("log", "the constant text for exceptions", _constant_text, scenarios.scripted),
    Removal("log", "the first words of libraries", _words_of_libraries, scenarios.telling),
    Removal("status", "the catalogue of public texts", _catalogue, scenarios.scripted),
    Removal("client error", "the catalogue of public texts", _catalogue, scenarios.scripted),
    Removal("metadata", "trailers of two words", _plain_trailers, scenarios.scripted),
    Removal("spans", "the reason's name for its text", _reason_for_spans, scenarios.scripted),
    Removal("spans", "the list of attributes", _span_attributes, quietly),
    Removal("reprs", "the representation of Secret", _secret, arms),
    Removal("reprs", "wrapping while decoding", _secret_of_decoding, arms),
    Removal("reprs", "a POST without headers", _headers_of_a_post, arms),
    Removal("preview", "the preview of a body", _preview, quietly),
    Removal("spans", "the mask over quoted ids", _words, scenarios.quoting),
    Removal("status", "the mask over quoted ids", _words, scenarios.quoting),
    Removal("store", "the mask over quoted ids", _words, scenarios.quoting),
    Removal("store", "the seal of results", _seal, quietly),
    Removal("store", "the hashes of fields", _fingerprint, quietly),
    Removal("store", "the hash of an Apple Pay token", _token_name, quietly),
    Removal("records", "the mask over quoted words", _words, scenarios.quoting),
    Removal("journal", "the masks of the emulator", _journal, quietly),
    Removal("journal", "the list of its headers", _journal_headers, quietly),
    Removal("journal", "the list of its names", _journal_names, quietly),
    Removal("reflection", "names of services alone", _reflection, quietly, FREE),
    Removal("admin", "names of tenants alone", _admin, quietly, FREE),
    Removal("process", "the hook for the last words", _hook, partial(scenarios.crashing, unhooked=True)),
]


@pytest.mark.asyncio
@pytest.mark.timeout(60)
@pytest.mark.parametrize("removal", REMOVALS, ids=lambda one: f"{one.sink}: {one.protection}")
async def test_sees_a_removed_redactor(removal: Removal, monkeypatch: Patch, tmp_path: Path) -> None:
    """Without it the sink holds a canary."""
    removal.remove(monkeypatch)

    seen = await removal.scenario(tmp_path)

    canaries = [*seen.canaries, *([Canary("free", removal.canary)] if removal.canary else [])]
    assert removal.sink in {hit.sink for hit in hits(canaries, seen.sinks)}


def test_no_sink_is_without_a_row() -> None:
    """A new sink needs a proof that it is searched."""
    assert set(SINKS) == {removal.sink for removal in REMOVALS}
