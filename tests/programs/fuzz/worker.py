"""Fuzzes one target in a process of its own, until libFuzzer ends it.

Findings other than endless loops and memory do not end the run: the smallest input of each is written down.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fuzz.target import Target

INSTRUMENTED: Final = ("payorch_server", "payorch", "zuora_emulator", "jwt")
"""Pure Python, but for PyYAML, which would take most of the time; `payorch` without the generated modules."""
_GENERATED: Final = ["payorch.v1"]
_TIMEOUT_S: Final = 30
"""Time after which libFuzzer takes an input for endless, on a machine that others use too."""
_RSS_LIMIT_MB: Final = 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Fuzz; the process ends inside."""
    begun_s = perf_counter()
    parser = argparse.ArgumentParser(prog="python -m programs.fuzz.worker", description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="for the growing corpus, seeds and words")
    parser.add_argument("--findings", type=Path, required=True)
    parser.add_argument("--kept", type=Path, required=True, help="the corpus in the tree")
    chosen = parser.parse_args(arguments)
    # It is installed beside the environment, and only here.
    sys.path.insert(0, str(Path("build/fuzz").resolve()))
    import atheris  # noqa: PLC0415 - see above

    with atheris.instrument_imports(include=list(INSTRUMENTED), exclude=_GENERATED, enable_loader_override=False):
        # What is imported here, and only that, is instrumented.
        from fuzz.all_targets import target_of  # noqa: PLC0415
        from fuzz.target import listening  # noqa: PLC0415

        from programs.fuzz.findings import Findings  # noqa: PLC0415
        from programs.fuzz.judge import Judge  # noqa: PLC0415

        target = target_of(chosen.target)
    judge = Judge(target, Findings(target.name, chosen.findings))
    seconds = max(round(chosen.seconds - (perf_counter() - begun_s)), 1)
    options = _options(target, seconds, chosen.folder, chosen.findings, chosen.kept)
    with listening():
        atheris.Setup([sys.argv[0], *options], judge.run)
        atheris.Fuzz()


def _options(target: "Target", seconds: int, folder: Path, findings: Path, kept: Path) -> list[str]:
    """Return libFuzzer's options, and write the seeds and words that they name."""
    corpus, seeds, words = folder / "corpus", folder / "seeds", folder / "words"
    for made in (corpus, seeds, findings, kept):
        made.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (seeds / f"{number:03}").write_bytes(seed)
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.inserted), encoding="utf-8")
    return [
        f"-max_total_time={seconds}",
        f"-timeout={_TIMEOUT_S}",
        f"-rss_limit_mb={_RSS_LIMIT_MB}",
        f"-max_len={target.max_bytes}",
        *([f"-dict={words}"] if target.inserted else []),
        f"-artifact_prefix={findings}/",
        "-detect_leaks=0",
        # By the clock of the wall; the judge looks at CPU time.
        "-report_slow_units=1000",
        "-print_final_stats=1",
        *(str(each) for each in (corpus, seeds, kept)),
    ]


def _escaped(word: str) -> str:
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word.encode()
    )


if __name__ == "__main__":
    main()
