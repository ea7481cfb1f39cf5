"""Writes the catalogue of reasons that the clients' test doubles answer with, from the service's own tables.

python tools/reasons.py            write clients/reasons.json and the copies in the packages
python tools/reasons.py --check    fail if one of them differs
"""

import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from payorch.v1 import error_reason_pb2
from payorch_server.model.operation import RPCS
from payorch_server.model.outcome import VERDICTS, Reason, verdict_of
from payorch_server.rpc.status import CATALOGUE, RETRY_S

ROOT: Final = Path(__file__).resolve().parent.parent
COPIES: Final = (
    ROOT / "clients" / "reasons.json",
    ROOT / "clients" / "python" / "src" / "payorch" / "testing" / "reasons.json",
    ROOT / "clients" / "rust" / "src" / "testing" / "reasons.json",
    ROOT / "clients" / "typescript" / "reasons.json",
    ROOT / "clients" / "go" / "payorchtest" / "reasons.json",
    ROOT.joinpath("clients/java/testing/src/main/resources/internal/payorch/testing/reasons.json"),
)
_PROTO: Final = ROOT / "protos" / "payorch" / "v1" / "error_reason.proto"
_VALUE: Final = re.compile(r"((?:^  //.*\n)+)^  ERROR_REASON_(\w+) = \d+;$", re.MULTILINE)
# `metadata: rule, hint.` or `metadata: tenant, when the limit is a tenant's.`
_METADATA: Final = re.compile(r"metadata: ((?:[a-z]\w*(?=[,.;])(?:, )?)+)")


def catalogue() -> dict[str, dict[str, Any]]:
    """Return what each reason looks like on the wire, by its name."""
    comments = {name: " ".join(comment.split("//")) for comment, name in _VALUE.findall(_PROTO.read_text())}
    return {reason.name: _entry(reason, re.sub(r"\s+", " ", comments[reason.name])) for reason in CATALOGUE}


def _entry(reason: Reason, comment: str) -> dict[str, Any]:
    code, message = CATALOGUE[reason]
    verdict = VERDICTS[reason]
    differing = {rpc: verdict_of(reason, rpc=rpc).advice.name for rpc in RPCS if verdict_of(reason, rpc=rpc) != verdict}
    found = _METADATA.search(comment)
    entry = {
        "number": error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{reason.name}"),
        "code": code.name,
        "message": message,
        "outcome": verdict.outcome.name,
        "advice": verdict.advice.name,
        "adviceByRpc": differing,
        "retryDelaySeconds": RETRY_S.get(reason.name),
        "metadata": found[1].removesuffix(", ").split(", ") if found else [],
        "namesFields": "BadRequest" in comment,
    }
    return {name: value for name, value in entry.items() if value or name == "number"}


def main() -> None:
    """Write the files, or compare them."""
    text = json.dumps(catalogue(), indent=2) + "\n"
    stale = [str(copy.relative_to(ROOT)) for copy in COPIES if not copy.exists() or copy.read_text() != text]
    if "--check" in sys.argv[1:]:
        if stale:
            sys.exit(f"The catalogue of reasons is not the service's; run `make generate`: {', '.join(stale)}")
        return
    for copy in COPIES:
        copy.write_text(text)


if __name__ == "__main__":
    main()
