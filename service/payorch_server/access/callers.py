"""Which caller an identity is: an exact entry wins, then the longest prefix; an identity without an entry is nobody."""

import dataclasses
from collections.abc import Mapping, Sequence

from payorch_server.access.settings import AccessSettings, CallerSettings
from payorch_server.model.caller import ANY, EVERYTHING, Caller, Rights, TenantRights


class AccessTable:
    """The callers that are known."""

    def __init__(self, entries: Sequence[CallerSettings], *, everybody: Caller | None = None) -> None:
        """Make a table.

        Args:
            entries: The known callers.
            everybody: What an identity without an entry is; None refuses it.
        """
        self._everybody = everybody
        self._exact = {one.caller: one for one in entries if not one.caller.endswith(ANY)}
        prefixes = [(one.caller.removesuffix(ANY), one) for one in entries if one.caller.endswith(ANY)]
        self._prefixes = sorted(prefixes, key=lambda item: len(item[0]), reverse=True)

    def __repr__(self) -> str:
        return f"AccessTable({len(self._exact)} callers, {len(self._prefixes)} prefixes)"

    def caller(self, identity: str) -> Caller | None:
        """Return the caller that an identity is, or None for one that is not known."""
        entry = self._exact.get(identity) or next(
            (one for prefix, one in self._prefixes if identity.startswith(prefix)), None
        )
        if entry is not None:
            return Caller(identity, entry.namespace, _rights(entry))
        return dataclasses.replace(self._everybody, identity=identity) if self._everybody else None


def access_table(settings: AccessSettings | None, *, namespace: str) -> AccessTable:
    """Return the table of a configuration; without an access policy everybody may do everything.

    Args:
        settings: The access policy; None if there is none, which the configuration allows on loopback only.
        namespace: Of everybody, where there is no access policy.
    """
    if settings is None:
        return AccessTable((), everybody=Caller("", namespace, EVERYTHING))
    return AccessTable(settings.callers)


def _rights(entry: CallerSettings) -> Rights:
    tenants: Mapping[str, TenantRights] = {
        name: TenantRights(frozenset(one.entities), frozenset(one.orgs)) for name, one in entry.tenants.items()
    }
    return Rights(frozenset(entry.rpcs), tenants, entry.move_money, entry.raw_card_data, entry.diagnostics)
