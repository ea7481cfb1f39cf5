from types import MappingProxyType
from typing import Final

FORBID_EXTRA: Final = MappingProxyType({"extra": "forbid"})
"""How the configuration's reader treats a settings class: a member that it does not have is an error."""
