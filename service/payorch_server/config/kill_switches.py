"""What changed files switch off, whatever else is wrong with them.

A kill switch is thrown on days when other things are broken too. It only ever refuses calls, so it needs no proof.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from payorch_server.config.document import ConfigError, Settings
from payorch_server.config.strict_yaml import read_yaml
from payorch_server.routing.rule_checks import RPCS


def switched_off(*files: Path) -> Mapping[str, frozenset[str]]:
    """Return the RPCs that each tenant's `switched_off` names, as far as that can be read.

    Args:
        files: Of the configuration; one that cannot be read hides none of the others.
    """
    found: dict[str, frozenset[str]] = {}
    for file in files:
        try:
            content = read_yaml(file)
        except ConfigError:
            continue
        tenants = content.get("tenants") if isinstance(content, dict) else None
        for name, tenant in (tenants if isinstance(tenants, dict) else {}).items():
            named = tenant.get("switched_off") if isinstance(tenant, dict) else None
            # A name without its brackets is a slip that can mean one thing only.
            listed = [named] if isinstance(named, str) else named if isinstance(named, list) else ()
            found[str(name)] = found.get(str(name), frozenset()) | {rpc for rpc in RPCS if rpc in listed}
    return found


def with_switched_off(running: Settings, wanted: Mapping[str, frozenset[str]]) -> Settings | None:
    """Return the running settings with more switched off, or None if there is nothing more; nothing is switched on.

    Args:
        running: What the service runs with.
        wanted: RPCs by tenant; tenants that it does not run with are left out.
    """
    tenants = {
        name: dataclasses.replace(tenant, switched_off=tuple(sorted({*tenant.switched_off, *wanted.get(name, ())})))
        for name, tenant in running.document.tenants.items()
    }
    if all(set(tenants[name].switched_off) == set(one.switched_off) for name, one in running.document.tenants.items()):
        return None
    return dataclasses.replace(running, document=running.document.model_copy(update={"tenants": tenants}))
