"""Makes the relative links of the README absolute for the package's metadata, where there are no files beside it."""

import posixpath
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_FOLDER = "tests/emulator"
"""Where the package is in its repository."""
_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#]+)")


class AbsoluteLinks(MetadataHookInterface):
    """Sets the field `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Read the README and set the field."""
        source = metadata["urls"]["Source"]
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        absolute = _LINK.sub(lambda link: f"]({source}/{posixpath.normpath(posixpath.join(_FOLDER, link[1]))}", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute}
