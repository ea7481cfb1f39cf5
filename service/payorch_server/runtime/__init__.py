"""Clock, deadlines, lifecycle, file watching, the HTTP listener and the form of settings: no payment vocabulary."""

# A plain dict: pydantic takes any other mapping for its deprecated class-based form.
FORBID_EXTRA = {"extra": "forbid", "use_attribute_docstrings": True}
"""How the configuration's reader treats a settings class: a member that it does not have is an error, and the text
below a member is its description in the JSON schema."""
