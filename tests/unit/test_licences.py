"""Every licence of a third-party package is known and allowed, or named in one sentence with what to do."""

from importlib.metadata import Distribution, PathDistribution, distributions
from pathlib import Path

import licences
import pytest
from image.licence_policy import LicenceError, LicencePolicy, read_policy, stated_by, statement_key

POLICY = LicencePolicy(
    allowed={"MIT": "permissive", "Apache-2.0": "permissive", "GPL-2.0-only WITH Classpath-exception-2.0": "linked"},
    statements={"Apache 2": "Apache-2.0", statement_key("Permission is granted. " * 40): "MIT"},
)


def package(folder: Path, *fields: str) -> Distribution:
    """Return an installed package with these lines of metadata."""
    (folder / "METADATA").write_text("\n".join(("Metadata-Version: 2.4", "Name: some", "Version: 1", *fields)))
    return PathDistribution(folder)


class TestExpression:
    """LicencePolicy.expression."""

    @pytest.mark.parametrize(
        ("stated", "expression", "reason"),
        [
            ("MIT", "MIT", "it is allowed"),
            ("mit and apache-2.0", "MIT AND Apache-2.0", "both are allowed"),
            ("GPL-3.0-only OR MIT", "GPL-3.0-only OR MIT", "one of the alternatives is allowed"),
            ("(GPL-3.0-only OR MIT) AND Apache-2.0", "(GPL-3.0-only OR MIT) AND Apache-2.0", "both parts are"),
            (
                "GPL-2.0-only WITH Classpath-exception-2.0",
                "GPL-2.0-only WITH Classpath-exception-2.0",
                "with exception",
            ),
            ("Apache 2", "Apache-2.0", "the words are listed"),
            ("Permission\n  is granted. " * 40, "MIT", "the text is listed, however it is broken into lines"),
        ],
    )
    def test_returns_what_is_allowed(self, stated: str, expression: str, reason: str) -> None:
        """As a canonical SPDX expression."""
        assert POLICY.expression("pkg:pypi/some@1", [stated]) == expression, reason

    @pytest.mark.parametrize(
        ("stated", "missing", "reason"),
        [
            ("GPL-3.0-only", "GPL-3.0-only", "it is not listed"),
            ("GPL-2.0-only", "GPL-2.0-only", "only with the exception"),
            ("MIT AND GPL-3.0-only", "GPL-3.0-only", "one part is not"),
            ("MIT AND (GPL-3.0-only OR AGPL-3.0-only)", "GPL-3.0-only", "neither alternative is"),
            ("(MIT OR Apache-2.0) AND GPL-3.0-only", "GPL-3.0-only", "what follows parentheses counts"),
            ("MIT AND GPL-3.0-only OR AGPL-3.0-only", "GPL-3.0-only", "AND binds more tightly than OR"),
        ],
    )
    def test_names_what_is_not_allowed(self, stated: str, missing: str, reason: str) -> None:
        """With the package and what to do, in one sentence."""
        with pytest.raises(LicenceError) as error:
            POLICY.expression("pkg:pypi/some@1", [stated])

        assert str(error.value).startswith("pkg:pypi/some@1 has the licence "), reason
        assert f"add {missing} with a reason to [allowed]" in str(error.value), reason

    def test_names_what_is_not_understood(self) -> None:
        """A word that may mean several licences is not guessed."""
        with pytest.raises(LicenceError, match=r"^pkg:pypi/some@1 states the licence 'BSD', .* \[statements\]"):
            POLICY.expression("pkg:pypi/some@1", ["BSD"])

    def test_names_a_package_that_states_nothing(self) -> None:
        """It is not taken for free."""
        with pytest.raises(LicenceError, match=r"^pkg:pypi/some@1 states no licence: "):
            POLICY.expression("pkg:pypi/some@1", ["", " "])

    def test_prefers_the_first_that_is_understood(self) -> None:
        """A field of free text may be broken where the classifier is not."""
        assert POLICY.expression("pkg:pypi/some@1", ["see LICENSE", "MIT"]) == "MIT"


class TestStatedBy:
    """stated_by."""

    def test_lists_the_most_exact_first(self, tmp_path: Path) -> None:
        """The expression of PEP 639, the free text, the classifier."""
        some = package(
            tmp_path, "License-Expression: MIT", "License: free", "Classifier: License :: OSI :: MIT License"
        )

        assert stated_by(some) == ["MIT", "free", "MIT License"]

    def test_leaves_several_classifiers_out(self, tmp_path: Path) -> None:
        """They leave open whether all hold, or one."""
        some = package(tmp_path, "Classifier: License :: OSI :: A", "Classifier: License :: OSI :: B")

        assert stated_by(some) == ["", ""]


class TestWhatIsShipped:
    """requirements/licences.toml."""

    def test_has_allowed_licences_alone(self) -> None:
        """The locked packages and those of the TypeScript client; make clients looks at the other languages."""
        problems, listed = licences.judged(dict([*licences.python(), *licences.typescript()]), read_policy())

        assert problems == []
        assert {"Apache-2.0", "MIT", "MPL-2.0"} <= set(listed.values())

    def test_fails_when_a_licence_is_no_longer_allowed(self) -> None:
        """The list decides, not the programs."""
        policy = read_policy()
        stricter = LicencePolicy(
            {name: why for name, why in policy.allowed.items() if name != "MPL-2.0"}, policy.statements
        )

        problems, _ = licences.judged(dict(licences.python()), stricter)

        (problem,) = problems
        assert problem.startswith("pkg:pypi/certifi@")

    def test_reads_every_installed_package(self) -> None:
        """Whatever its metadata look like, it is an expression or an error."""
        policy = read_policy()
        for installed in distributions():
            try:
                policy.expression(installed.name, stated_by(installed))
            except LicenceError as error:
                assert str(error).startswith(installed.name)  # noqa: PT017 - most raise none

    def test_gives_each_licence_a_reason(self) -> None:
        """And understands each meaning."""
        policy = read_policy()

        assert all(policy.allowed.values())
        for meaning in policy.statements.values():
            assert policy.expression("meaning", [meaning])


class TestBom:
    """licences.bom."""

    def test_lists_packages_in_cyclonedx(self) -> None:
        """With scope, version and licence."""
        (component,) = licences.bom({"pkg:npm/%40grpc/grpc-js@1.14.7": "Apache-2.0"})["components"]  # type: ignore[misc] # one

        assert (component["name"], component["version"]) == ("@grpc/grpc-js", "1.14.7")
        assert component["licenses"] == [{"expression": "Apache-2.0"}]
