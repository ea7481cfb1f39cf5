"""Files as Kubernetes mounts them: links into a folder that is swapped as a whole."""

from collections.abc import Mapping
from pathlib import Path


class MountedFiles:
    """A mounted ConfigMap or Secret."""

    def __init__(self, folder: Path, files: Mapping[str, str | bytes]) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._files: dict[str, bytes] = {}
        self._version = 0
        self.update(files)
        for name in files:
            (folder / name).symlink_to(Path("..data") / name)

    def __truediv__(self, name: str) -> str:
        return str(self.folder / name)

    def update(self, files: Mapping[str, str | bytes]) -> None:
        """Change some of the files, all at once."""
        self._files |= {name: one.encode() if isinstance(one, str) else one for name, one in files.items()}
        self._version += 1
        version = self.folder / f"..version-{self._version}"
        version.mkdir()
        for name, content in self._files.items():
            (version / name).write_bytes(content)
        link = self.folder / "..data_tmp"
        link.symlink_to(version.name)
        link.replace(self.folder / "..data")
