"""The site that `make docs` builds: every Markdown page under its own path, so that links hold in the repository too.

A page that is in no list of `SECTIONS` or `BELOW` fails the build, and so does a link or an anchor that leads nowhere.
"""

import subprocess
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
SECTIONS: Final = {
    "Begin": ["docs/index", "docs/getting-started", "docs/concepts"],
    "Call it": [
        "clients/README",
        "docs/other-languages",
        "docs/gateway",
        "clients/examples/web/README",
        "docs/paid-sessions",
        "docs/errors",
        "docs/protos-reference",
    ],
    "Configure and install": [
        "docs/configuration",
        "docs/configuration-reference",
        "docs/routing",
        "docs/operations",
        "helm/payorch/README",
        "docs/image",
        "docs/compatibility",
    ],
    "Operate": [
        "docs/runbooks",
        "docs/tracing",
        "docs/recovery",
        "docs/metrics-reference",
        "docs/slo",
        "docs/performance",
    ],
    "Gateways of your own": ["docs/upc", "docs/gateway-plugins"],
    "Safety": ["docs/security", "docs/personal-data", "docs/zuora-facts", "docs/parity", "SECURITY"],
    "Change it": [
        "CONTRIBUTING",
        "docs/architecture",
        "service/decisions/README",
        "protos/README",
        "tests/emulator/README",
        "tests/fuzz/README",
        "docs/releasing",
        "CHANGELOG",
    ],
}
"""The pages of the navigation, by their captions."""
_LANGUAGES: Final = ("python", "go", "typescript", "java", "rust")
BELOW: Final = {
    "clients/README": [f"clients/{language}/README" for language in _LANGUAGES],
    **{f"clients/{language}/README": [f"clients/{language}/CHANGELOG"] for language in _LANGUAGES},
    "tests/emulator/README": ["tests/emulator/SUPPORT"],
    "service/decisions/README": sorted(
        f"service/decisions/{path.stem}" for path in (ROOT / "service" / "decisions").glob("0*.md")
    ),
}
"""The pages that the navigation shows below another."""


def pages() -> list[str]:
    """Return the Markdown files that git knows or would add, but for the forms of the code host."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - fixed command
    return [name for name in listed.stdout.splitlines() if not name.startswith(".github/")]


project = "payorch"
extensions = ["myst_parser"]
include_patterns = pages()
exclude_patterns = [".*", "build", "**/node_modules", "**/target"]  # not even searched
root_doc = "README"
myst_heading_anchors = 6  # named as in the view of the repository
suppress_warnings = ["misc.highlighting_failure"]  # JSON that leaves members out is no JSON
smartquotes = False  # a quoted text shows the characters to type
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["wide.css"]
html_title = "payorch"
html_copy_source = False
html_show_sphinx = False


def _add_navigation(_: Any, page: str, source: list[str]) -> None:
    """Append the lists of pages, which readers of the plain file need not see."""
    lists = SECTIONS if page == root_doc else {"Below this page": BELOW[page]} if page in BELOW else {}
    for caption, listed in lists.items():
        names = [f"/{name}" for name in listed]
        source[0] += "\n".join(["\n\n```{toctree}", ":hidden:", f":caption: {caption}", "", *names, "```\n"])


def _open_first_page(app: Any, failed: Exception | None) -> None:
    """Make the folder open with the first page, whose name a web server does not look for."""
    if failed is None:
        refresh = f'<!doctype html><meta http-equiv="refresh" content="0; url={root_doc}.html"><title>payorch</title>\n'
        (Path(app.outdir) / "index.html").write_text(refresh, encoding="utf-8")


def setup(app: Any) -> None:
    """Register what runs while the site is built."""
    app.connect("source-read", _add_navigation)
    app.connect("build-finished", _open_first_page)
