"""Every target holds on the inputs that fuzzing begins with, and on those that were findings once."""

from collections.abc import Iterator

import pytest

from fuzz.all_targets import CORPUS, kept, names, targets
from fuzz.target import execute, listening

_MAX_CORPUS_BYTES = 400_000


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    with listening():
        yield


class TestTargets:
    """The targets of `make fuzz`."""

    @pytest.mark.parametrize("name", names())
    def test_find_nothing_in_the_seeds(self, name: str) -> None:
        """What fuzzing begins with."""
        target = targets()[name]
        seeds = list(target.seeds())

        assert seeds
        assert [] == [finding for seed in seeds if (finding := execute(target, seed))]

    @pytest.mark.parametrize(("name", "file"), [(name, file.name) for name in names() for file in kept(name)])
    def test_find_nothing_in_what_is_kept(self, name: str, file: str) -> None:
        """Past findings, and inputs that reach what seeds do not."""
        assert execute(targets()[name], (CORPUS / name / file).read_bytes()) is None

    @pytest.mark.parametrize("name", names())
    def test_make_equal_seeds(self, name: str) -> None:
        """A finding in a seed can be repeated."""
        assert len(list(targets()[name].seeds())) == len(list(targets()[name].seeds()))

    def test_have_small_corpora(self) -> None:
        """No folder belongs to a target that is gone, and no large input is kept."""
        assert {folder.name for folder in CORPUS.glob("*")} <= set(names())
        assert sum(file.stat().st_size for name in names() for file in kept(name)) < _MAX_CORPUS_BYTES
