from typing import Final

# A plain dict: pydantic takes any other mapping for its deprecated class-based form.
FORBID_EXTRA: Final = {"extra": "forbid"}
"""How the configuration's reader treats a settings class: a member that it does not have is an error."""
