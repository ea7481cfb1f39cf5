"""What the headers of a call must say before its operation runs.

Source: Zuora v1 API reference, header parameters of "Create a payment session"; developer guide "Authentication";
read 2026-11.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

from zuora_emulator.answers import Answered
from zuora_emulator.call import Arrived
from zuora_emulator.errors import Context, Reason, Refused, unauthorized_answer
from zuora_emulator.settings import Settings
from zuora_emulator.state import Client, Grant, State

LONGEST_TRACK_ID = 64
_FORBIDDEN_IN_TRACK_ID = frozenset(":;\"'")
_KNOWN_VERSIONS_TEXT = """
186.0 187.0 188.0 189.0 196.0 206.0 207.0 211.0 214.0 215.0 216.0 223.0 224.0 230.0 239.0 256.0 257.0 309.0 314.0
315.0 329.0 330.0 336.0 337.0 338.0 341.0 2024-05-20 2025-08-12
"""
KNOWN_VERSIONS = frozenset(_KNOWN_VERSIONS_TEXT.split())


def _refused_header(category: int, message: str, name: str) -> Refused:
    return Refused((Reason(category=category, message=message, parameter=name),), at_gateway=True)


def check_track_id(arrived: Arrived) -> None:
    """Refuse a track id that is too long, not ASCII, or has one of the four forbidden characters.

    Raises:
        Refused: with category 20, whatever the version.
    """
    track_id = arrived.track_id
    if track_id is None:
        return
    if "zuora-track-id" in arrived.repeated_headers:
        raise _refused_header(20, "The Zuora-Track-Id header must be sent once.", "zuora-track-id")
    if len(track_id) > LONGEST_TRACK_ID:
        raise _refused_header(20, f"The Zuora-Track-Id header exceeds {LONGEST_TRACK_ID} characters.", "zuora-track-id")
    if not track_id.isascii() or _FORBIDDEN_IN_TRACK_ID & set(track_id):
        raise _refused_header(20, "The Zuora-Track-Id header has a character that is not allowed.", "zuora-track-id")


def effective_version(arrived: Arrived, settings: Settings) -> str:
    """Return the API version of a call: its header, or the tenant's."""
    return arrived.headers.get("zuora-version", settings.tenant_version)


def check_version(arrived: Arrived) -> None:
    """Refuse a version that does not exist; only `/v1` looks at it.

    Raises:
        Refused: with category 20.
    """
    version = arrived.headers.get("zuora-version")
    if arrived.operation.dialect == "v1" and version is not None and version not in KNOWN_VERSIONS:
        raise _refused_header(20, "The Zuora-Version header is not a known version.", "zuora-version")


def grant_of(arrived: Arrived, state: State) -> Grant | None:
    """Return the rights of the bearer token, if it is known and not expired."""
    scheme, _, token = arrived.headers.get("authorization", "").partition(" ")
    grant = state.grants.get(token.strip()) if scheme.lower() == "bearer" else None
    return grant if grant is not None and _alive(grant, arrived.now) else None


def _alive(grant: Grant, now: datetime) -> bool:
    return now < grant.expires_at


def authorised(arrived: Arrived, state: State, context: Context) -> Grant:
    """Return the rights of the bearer token.

    Raises:
        Answered: 401; the token is missing, wrong or expired.
    """
    grant = grant_of(arrived, state)
    if grant is None:
        raise Answered(unauthorized_answer(context))
    return grant


def normal_entity(value: str) -> str | None:
    """Return an entity id with hyphens, from 36 characters or from 32 hex digits; None for anything else."""
    if len(value) not in {32, 36}:
        return None
    try:
        return str(uuid.UUID(value))
    except ValueError:
        return None


def entity_of(arrived: Arrived, entities: Sequence[str], settings: Settings) -> str:
    """Return the entity a call acts in.

    Raises:
        Refused: none is named and the token spans several; several are named; or the token is not valid for it.
    """
    value = arrived.headers.get("zuora-entity-ids")
    if value is None:
        if len(entities) > 1 and settings.missing_entity == "refuse":
            message = "The token is valid for several entities; the Zuora-Entity-Ids header must name one."
            raise _refused_header(23, message, "zuora-entity-ids")
        return entities[0]
    if len(entities) == 1 and settings.single_entity_header == "refuse":
        message = "The Zuora-Entity-Ids header must not be set for a token of one entity."
        raise _refused_header(20, message, "zuora-entity-ids")
    entity = normal_entity(value.strip())
    if entity is None:
        raise _refused_header(20, "The Zuora-Entity-Ids header must hold one entity id.", "zuora-entity-ids")
    if entity not in entities:
        raise _refused_header(10, "The token is not valid for this entity.", "zuora-entity-ids")
    return entity


def orgs_of(arrived: Arrived, client: Client, settings: Settings) -> tuple[str, ...]:
    """Return the orgs a call acts in; without the header those of the user, without Multi-Org none.

    Raises:
        Refused: the header names an org the user may not use, or is sent although Multi-Org is off.
    """
    value = arrived.headers.get("zuora-org-ids")
    unread = arrived.operation.dialect == "quickstart" and not settings.v2_honours_org_ids
    if value is None or unread:
        return client.orgs
    if not client.multi_org:
        if settings.unwanted_orgs == "ignore":
            return ()
        raise _refused_header(20, "Invalid Request: Multi-Org is not enabled.", "zuora-org-ids")
    orgs = tuple(part.strip() for part in value.split(","))
    if not all(orgs) or not set(orgs) <= set(client.orgs):
        raise _refused_header(20, "Invalid Request: an org is not accessible.", "zuora-org-ids")
    return orgs
