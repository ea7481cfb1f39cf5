"""The version of this package, which its user agent names."""

from typing import Final

VERSION: Final = "0.1.0"
"""Also in pyproject.toml; here as well because the package may be vendored, without its metadata."""
