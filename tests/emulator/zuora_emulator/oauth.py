"""POST /oauth/token, form-encoded: client_id, client_secret, grant_type=client_credentials.

    200  {"access_token": "<32 hex>", "token_type": "bearer", "expires_in": 3599, "scope": "...", "jti": "..."}

Source: Zuora v1 API reference, "Create an OAuth token", read 2026-11. The body of a refusal is documented nowhere.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from zuora_emulator.answers import Answer, Answered, json_answer
from zuora_emulator.call import Arrived
from zuora_emulator.headers import normal_entity
from zuora_emulator.ids import Ids
from zuora_emulator.ledger import Ledger, LedgerEntry
from zuora_emulator.settings import Settings
from zuora_emulator.state import Client, Grant, State

LIFE = timedelta(hours=1)
EXPIRES_IN_S = 3599
"""What the answer says: the life less the second it took."""
CLIENT_ID_LENGTH = 36
LONGEST_SECRET = 42
FORM_FIELDS = frozenset({"client_id", "client_secret", "grant_type"})
_UNWANTED_HEADERS = ("authorization", "apiaccesskeyid", "apisecretaccesskey")
_INVALID_CREDENTIAL = 90000011


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A token request and the world it acts on."""

    arrived: Arrived
    form: Mapping[str, str] = field(repr=False)
    state: State = field(repr=False)
    ids: Ids = field(repr=False)
    ledger: Ledger = field(repr=False)
    settings: Settings


def issue_token(request: TokenRequest) -> Answer:
    """Check the credentials and issue a token of one hour.

    Raises:
        Answered: 400 for a malformed request, 401 for wrong credentials.
    """
    _check_form(request)
    client = request.state.clients.get(request.form["client_id"])
    secret = request.form["client_secret"]
    if client is None or not hmac.compare_digest(client.client_secret.encode(), secret.encode()):
        raise Answered(refusal(401, "Invalid client id or secret.", request.settings))
    entities = _entities(request, client)
    token = request.ids.object_id()
    grant = Grant(client=client, entities=entities, expires_at=request.arrived.now + LIFE)
    request.state.grants[token] = grant
    _record(request, client, entities)
    body = {
        "access_token": token,
        "token_type": "bearer",
        "expires_in": EXPIRES_IN_S,
        "scope": _scope(client, entities),
        "jti": request.ids.request_id(),
    }
    return json_answer(200, body)


def _check_form(request: TokenRequest) -> None:
    unwanted = [name for name in _UNWANTED_HEADERS if name in request.arrived.headers]
    if unwanted and request.settings.token_auth_header == "refuse":
        message = f"The token endpoint must be called without the {unwanted[0]} header."
        raise Answered(refusal(401 if unwanted[0] == "authorization" else 400, message, request.settings))
    media_type = request.arrived.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise Answered(refusal(400, "The request body must be form-encoded.", request.settings))
    if request.form.get("grant_type") != "client_credentials":
        raise Answered(refusal(400, "grant_type must be client_credentials.", request.settings))
    if len(request.form.get("client_id", "")) != CLIENT_ID_LENGTH:
        raise Answered(refusal(400, f"client_id must have {CLIENT_ID_LENGTH} characters.", request.settings))
    if not 1 <= len(request.form.get("client_secret", "")) <= LONGEST_SECRET:
        raise Answered(refusal(400, f"client_secret must have 1 to {LONGEST_SECRET} characters.", request.settings))


def _entities(request: TokenRequest, client: Client) -> tuple[str, ...]:
    value = request.arrived.headers.get("zuora-entity-ids")
    if value is None:
        return client.entities
    # Only the hyphenated form is documented here, unlike on the other endpoints.
    entity = normal_entity(value) if len(value) == 36 else None
    if entity is None:
        raise Answered(refusal(400, "Zuora-Entity-Ids must hold one entity id of 36 characters.", request.settings))
    if entity not in client.entities:
        raise Answered(refusal(401, "The client has no access to this entity.", request.settings))
    return (entity,)


def _scope(client: Client, entities: tuple[str, ...]) -> str:
    granted = [f"entity.{entity}" for entity in entities]
    return " ".join([*granted, "platform.write", "service.usage.write", f"tenant.{client.tenant}", "user.emulator"])


def _record(request: TokenRequest, client: Client, entities: tuple[str, ...]) -> None:
    request.ledger.record(
        LedgerEntry(
            operation="token",
            time=request.arrived.now,
            tenant=client.tenant,
            entity=entities[0] if len(entities) == 1 else None,
            track_id=request.arrived.track_id,
            request_id=request.arrived.request_id,
            effects={"client": client.name},
        )
    )


def refusal(status: int, message: str, settings: Settings) -> Answer:
    """Build a refusal of the token endpoint in the shape the settings ask for."""
    if settings.token_refusal == "message":
        return json_answer(status, {"message": message})
    return json_answer(status, {"success": False, "reasons": [{"code": _INVALID_CREDENTIAL, "message": message}]})
