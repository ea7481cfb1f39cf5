"""The site of the texts has every page; `make docs` itself checks links and anchors."""

import importlib.util
from typing import Any

import pytest
from architecture.source_files import ROOT

CONF = ROOT / "docs" / "site" / "conf.py"


@pytest.fixture(scope="module")
def site() -> Any:
    """Return the configuration of the site."""
    spec = importlib.util.spec_from_file_location("site_conf", CONF)
    assert spec is not None
    assert spec.loader is not None
    conf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conf)
    return conf


class TestNavigation:
    """A page that no list names would be found by nothing but the search."""

    def test_has_each_page_once(self, site: Any) -> None:
        """Add a new page to SECTIONS of docs/site/conf.py."""
        listed = [page for pages in (*site.SECTIONS.values(), *site.BELOW.values()) for page in pages]

        assert sorted(page.removesuffix(".md") for page in site.pages()) == sorted([*listed, site.root_doc])

    def test_is_appended_to_the_first_page(self, site: Any) -> None:
        """As lists of Sphinx, which are in no file."""
        source = ["# payorch\n"]

        site._add_navigation(None, site.root_doc, source)

        assert source[0].startswith("# payorch\n")
        assert all(page in source[0] for pages in site.SECTIONS.values() for page in pages)
