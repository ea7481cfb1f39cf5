"""Writes what a version stores, publishes and accepts, for later versions to read; docs/releasing.md says when.

PYTHONPATH=tests:tools .venv/bin/python -m released            write tests/vectors/VERSION
PYTHONPATH=tests:tools .venv/bin/python -m released --again    write it again; only until the version is tagged

redis.json         every key in Redis, written by the service's and the hub's own parts with fixed time and randomness
fleet-key-ID       the keys that protect it
descriptors.binpb  all protos
chart.tgz          the chart, as `helm package` packs it but with equal bytes each time
values.yaml        values of the chart, with a configuration that has every setting of service and hub
objects.json       kinds, names and selectors of what the chart makes of them and of no values; needs `make chart`
"""

import argparse
import asyncio
import base64
import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

import generate
import yaml
from chart.rendering import CHART, identities, render_text
from harness import stored_by_hub, stored_by_service
from harness.clock import FakeClock
from harness.keyring import counted_entropy
from harness.memory_records import stored_in
from harness.released import KEY_IDS, VECTORS, as_in_redis, digest_of, keyring_of, read_stored
from payorch.version import VERSION
from payorch_server.store.keyring import Keyring
from payorch_server.store.memory import MemoryStore
from programs.simulation.loop import VirtualLoop
from released.full_values import full_values

_FOLDER: Final = VECTORS / VERSION


def main() -> None:
    """Write everything, or refuse."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--again", action="store_true", help="replace what was written; only until the version is tagged"
    )
    if (_FOLDER / "redis.json").exists() and not parser.parse_args().again:
        sys.exit(f"{_FOLDER} is there already.")
    if _is_tagged():
        sys.exit(f"{VERSION} is tagged: what it stores does not change any more. Raise the version first.")
    _FOLDER.mkdir(exist_ok=True)
    for key_id in KEY_IDS:
        key = hashlib.sha256(f"a key of a test, {key_id}".encode()).digest()
        (_FOLDER / f"fleet-key-{key_id}").write_text(base64.b64encode(key).decode() + "\n", encoding="utf-8")
    (_FOLDER / "redis.json").write_text(redis_content(), encoding="utf-8")
    _write_descriptors()
    _write_chart()
    _write_values()
    print(f"{_FOLDER} is written. Its digest, for tests/unit/test_released.py:\n{digest_of(VERSION)}")


def _is_tagged() -> bool:
    command = ["git", "tag", "--list", f"v{VERSION}"]
    return bool(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # noqa: S603 - fixed command


def redis_content() -> str:
    """Return what redis.json holds."""
    keyring = keyring_of(VERSION, entropy=counted_entropy())
    stores = [asyncio.run(_stored_by_service(keyring))]
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        stores.append(runner.run(_stored_by_hub(keyring)))
    keys = [
        {
            "key": key,
            "value": as_in_redis(value, version).hex(),
            "ttl_s": ttl_s,
            "reads_as": read_stored(key, value, keyring),
        }
        for stored in stores
        for key, (ttl_s, value, version) in sorted(stored.items())
    ]
    return json.dumps({"version": VERSION, "keys": keys}, indent=2, ensure_ascii=False) + "\n"


async def _stored_by_service(keyring: Keyring) -> dict[str, tuple[float, bytes, int]]:
    store = MemoryStore(clock=FakeClock(), max_entries=1000)
    tasks = await stored_by_service.store_all(store, keyring)
    stored = stored_in(store)
    await tasks.close()
    return stored


async def _stored_by_hub(keyring: Keyring) -> dict[str, tuple[float, bytes, int]]:
    world = await stored_by_hub.store_all(keyring)
    stored = stored_in(world.store.inner)
    await world.crash()
    return stored


def _write_descriptors() -> None:
    sources = sorted(str(path.relative_to(generate.PROTOS)) for path in generate.PROTOS.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        generate.build_images(Path(folder), sources)
        (_FOLDER / "descriptors.binpb").write_bytes((Path(folder) / "soft.binpb").read_bytes())


def _write_chart() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in sorted(path for path in CHART.rglob("*") if path.is_file() and path.parent != CHART / "ci"):
            member = tarfile.TarInfo(f"{CHART.name}/{path.relative_to(CHART)}")
            member.size = path.stat().st_size
            with path.open("rb") as content:
                archive.addfile(member, content)
    (_FOLDER / "chart.tgz").write_bytes(gzip.compress(packed.getvalue(), mtime=0))


def _write_values() -> None:
    values = full_values()
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)
    (_FOLDER / "values.yaml").write_text(text, encoding="utf-8")
    objects = {"values.yaml": identities(render_text(values)), "no values": identities(render_text())}
    (_FOLDER / "objects.json").write_text(json.dumps(objects, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
