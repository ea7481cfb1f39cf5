"""A good configuration of the hub, to be changed."""

import copy
from pathlib import Path
from typing import Any

PASSWORD = "canary-hub-password"


def hub_configuration(folder: Path) -> dict[str, Any]:
    """Return the smallest good configuration of a hub with one gateway; writes the password into the folder."""
    password = folder / "password"
    password.write_text(f"{PASSWORD}\n")
    return {
        "upc": {
            "listen": "127.0.0.1:0",
            "accept_memory_store": True,
            "drain_wait_s": 0.0,
            "hubs": {
                "acme": {"tenants": ["12368"], "credentials": [{"user": "zuora", "password_file": str(password)}]}
            },
            "gateways": {
                "acme": {
                    "hub": "acme",
                    "names": ["UPC_Token"],
                    "types": ["AmazonPay__c_12368"],
                    "target": "127.0.0.1:50051",
                }
            },
        },
        "admin": {"listen": "127.0.0.1:0"},
    }


def changed(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return a copy with other values at dotted paths."""
    result = copy.deepcopy(content)
    for dotted, value in changes.items():
        *parents, last = dotted.split(".")
        place: Any = result
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        place[last] = value
    return result
