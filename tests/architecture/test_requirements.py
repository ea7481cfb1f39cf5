"""The locked versions satisfy what the projects ask for, and say nothing about where they come from."""

import re
import tomllib
from typing import Any

import pytest
from architecture.source_files import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = ROOT / "requirements"
RUNTIME, DEV, STOOD_IN, BUILD, GATEWAY, DOCS, SDK, MUTATION, FUZZ = (
    LOCKS / f"{name}.txt"
    for name in ("runtime", "dev", "emulator", "build", "gateway", "docs", "zuora-sdk", "mutation", "fuzz")
)
LOCK_FILES = [RUNTIME, DEV, STOOD_IN, BUILD, GATEWAY, DOCS, SDK, MUTATION, FUZZ]
OURS = {"payorch", "payorch-server", "payorch-zuora-emulator"}


def project(folder: str) -> dict[str, Any]:
    """Read a project file."""
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text())


def locked(text: str) -> dict[str, Requirement]:
    """Read the pins of a lock file by name."""
    lines = re.sub(r"\\\n\s+--hash=\S+", "", text).splitlines()
    pins = [Requirement(line.strip()) for line in lines if line.strip() and not line.strip().startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in pins}


SERVER, CLIENT, EMULATOR = project("."), project("clients/python"), project("tests/emulator")
SHIPPED = [*SERVER["project"]["dependencies"], *CLIENT["project"]["dependencies"]]
DEVELOPED = [*SHIPPED, *EMULATOR["project"]["dependencies"], *SERVER["dependency-groups"]["dev"]]


class TestLockedVersions:
    """An installation is the same everywhere."""

    @pytest.mark.parametrize(
        ("lock", "wanted"),
        [(RUNTIME, one) for one in SHIPPED]
        + [(DEV, one) for one in DEVELOPED]
        + [(STOOD_IN, one) for one in EMULATOR["project"]["dependencies"]]
        + [(BUILD, one) for one in SERVER["dependency-groups"]["build"]]
        + [(GATEWAY, one) for one in SERVER["dependency-groups"]["gateway"]]
        + [(DOCS, one) for one in SERVER["dependency-groups"]["docs"]]
        + [(SDK, one) for one in SERVER["dependency-groups"]["zuora-sdk"]]
        + [(MUTATION, one) for one in SERVER["dependency-groups"]["mutation"]],
        ids=lambda one: one if isinstance(one, str) else one.stem,
    )
    def test_satisfy_the_projects(self, lock: Any, wanted: str) -> None:
        """Each dependency is pinned to a version that its project takes."""
        requirement = Requirement(wanted)
        name = canonicalize_name(requirement.name)
        if name in OURS:
            return

        pin = locked(lock.read_text())[name]

        (exact,) = pin.specifier
        assert exact.operator == "=="
        assert requirement.specifier.contains(exact.version)

    @pytest.mark.parametrize("lock", [RUNTIME, STOOD_IN], ids=lambda lock: lock.stem)
    def test_ship_what_was_tested(self, lock: Any) -> None:
        """The pins of what is in an image are the development's."""
        shipped, dev = locked(lock.read_text()), locked(DEV.read_text())

        assert {name: str(pin.specifier) for name, pin in shipped.items()} == {
            name: str(dev[name].specifier) for name in shipped
        }
        assert not OURS & set(dev)

    def test_leave_tools_out_of_the_runtime(self) -> None:
        """The image holds no tests and no generators."""
        tools = {canonicalize_name(Requirement(one).name) for one in SERVER["dependency-groups"]["dev"]}

        assert not set(locked(RUNTIME.read_text())) & tools - {"cryptography"}

    @pytest.mark.parametrize("lock", LOCK_FILES, ids=lambda lock: lock.stem)
    def test_are_hashed_and_carry_no_address(self, lock: Any) -> None:
        """Each pin has a hash; whoever installs says from where."""
        text = lock.read_text()

        pins = re.findall(r"^\S+==\S+.*$", text, re.MULTILINE)
        hashed = re.findall(r"^\S+==\S+.*\\\n\s+--hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
        assert len(pins) == len(hashed) >= len(locked(text)) > 0
        assert not re.search(r"://|--index|--find-links|--extra|\s@\s|git\+", text)


class TestPins:
    """One name, one wish."""

    def test_agree_on_python(self) -> None:
        """The three projects run on the same versions."""
        assert {one["project"]["requires-python"] for one in (SERVER, CLIENT, EMULATOR)} == {">=3.11"}
