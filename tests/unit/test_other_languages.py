"""The configuration by which callers generate code for further languages."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import generate
import protoc
import pytest
import yaml
from generators.java import PACKAGE

CONFIG = Path("clients/buf.gen.yaml")
PAGE = Path("docs/other-languages.md").read_text()
CONTENT: dict[str, Any] = yaml.safe_load(CONFIG.read_text())


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate the messages, for which protoc alone is enough; return the folder."""
    folder = tmp_path_factory.mktemp("languages")
    sources = sorted(str(path.relative_to(generate.PROTOS)) for path in generate.PROTOS.rglob("*.proto"))
    generate.build_images(folder, sources)
    (image,) = CONTENT["inputs"]
    plugins = [plugin for plugin in CONTENT["plugins"] if "protoc_builtin" in plugin]
    chosen = CONTENT | {"inputs": [image | {"binary_image": str(folder / "soft.binpb")}], "plugins": plugins}
    (folder / "buf.gen.yaml").write_text(yaml.safe_dump(chosen))
    buf = (str(Path(sys.executable).with_name("buf")), "generate", "--template", str(folder / "buf.gen.yaml"))
    path = f"{Path(protoc.PROTOC_EXE).parent}{os.pathsep}/usr/bin{os.pathsep}/bin"
    run = [*buf, "-o", str(folder)]
    subprocess.run(run, check=True, env={"PATH": path, "HOME": str(folder)})  # noqa: S603 - our own configuration
    return folder


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("csharp/Session.cs", "namespace Payorch.V1 {"),
        ("kotlin/internal/payorch/v1/CreateSessionRequestKt.kt", f"package {PACKAGE};"),
        ("php/Payorch/V1/CreateSessionRequest.php", "namespace Payorch\\V1;"),
        ("ruby/payorch/v1/session_pb.rb", "module Payorch"),
    ],
)
def test_messages_are_generated_under_the_names_of_each_language(generated: Path, file: str, line: str) -> None:
    """Without an option of the protos, which belong to no language."""
    assert line in (generated / file).read_text().splitlines()


def test_no_code_of_other_packages_is_generated(generated: Path) -> None:
    """Money and the like come with packages of each language."""
    assert not [path for path in generated.rglob("*") if path.is_file() and "money" in path.name.lower()]


@pytest.mark.parametrize("plugin", [plugin["local"] for plugin in CONTENT["plugins"] if "local" in plugin])
def test_the_page_names_every_plugin(plugin: str) -> None:
    """A reader has to find it somewhere."""
    assert f"`{plugin}`" in PAGE


def test_the_image_is_what_the_page_lets_readers_make() -> None:
    """`make descriptors` writes it there."""
    assert f"`make descriptors` writes `{CONTENT['inputs'][0]['binary_image']}`" in PAGE
