"""Clock, deadlines, lifecycle, file watching, the HTTP listener and the form of settings: no payment vocabulary."""

# A plain dict: pydantic takes any other mapping for its deprecated class-based form.
FORBID_EXTRA: dict[str, str | bool] = {"extra": "forbid"}
"""How the configuration's reader treats a settings class: a member that it does not have is an error. Only the JSON
schema adds the text below each member."""
