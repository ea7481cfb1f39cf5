"""Finds the caller of an identity: an exact entry first, then the longest prefix."""

from collections.abc import Mapping, Sequence

from payorch_server.access.settings import AccessSettings, CallerSettings
from payorch_server.model.caller import ANY, EVERYTHING, Caller, Rights, TenantRights


class AccessTable:
    """The callers of the access policy."""

    def __init__(self, entries: Sequence[CallerSettings], *, default: Caller | None = None) -> None:
        """Make a table.

        Args:
            entries: The callers.
            default: The caller of identities without an entry; None: they have no caller.
        """
        self._default = default
        names = [entry.namespace for entry in entries] + ([default.namespace] if default else [])
        self.namespaces = tuple(dict.fromkeys(names))
        """Those of all callers."""
        # Rights are computed once: they are those of every call while the policy is the same.
        callers = [Caller(entry.caller, entry.namespace, _rights(entry)) for entry in entries]
        self._exact = {caller.identity: caller for caller in callers if not caller.identity.endswith(ANY)}
        prefixes = [(caller.identity.removesuffix(ANY), caller) for caller in callers if caller.identity.endswith(ANY)]
        self._prefixes = sorted(prefixes, key=lambda item: len(item[0]), reverse=True)

    def __repr__(self) -> str:
        return f"AccessTable({len(self._exact)} callers, {len(self._prefixes)} prefixes)"

    def caller(self, identity: str) -> Caller | None:
        """Return the caller of an identity, or None if the policy has no entry for it."""
        if exact := self._exact.get(identity):
            return exact
        matching = (caller for prefix, caller in self._prefixes if identity.startswith(prefix))
        named = next(matching, self._default)
        return Caller(identity, named.namespace, named.rights) if named else None


def access_table(settings: AccessSettings | None, *, namespace: str) -> AccessTable:
    """Return the table of a configuration; without an access policy every caller may do everything.

    Args:
        settings: The access policy; None if there is none, which the configuration allows on loopback only.
        namespace: Of all callers if there is no access policy.
    """
    if settings is None:
        return AccessTable((), default=Caller("", namespace, EVERYTHING))
    return AccessTable(settings.callers)


def _rights(entry: CallerSettings) -> Rights:
    tenants: Mapping[str, TenantRights] = {
        name: TenantRights(frozenset(rights.entities), frozenset(rights.orgs)) for name, rights in entry.tenants.items()
    }
    return Rights(
        frozenset(entry.rpcs),
        tenants,
        entry.move_money,
        entry.raw_card_data,
        entry.diagnostics,
        frozenset(entry.diagnostics_namespaces),
    )
