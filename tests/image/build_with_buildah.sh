#!/usr/bin/env bash
# Builds the Dockerfile for real where no container engine runs and no image can be pulled, and looks at the result.
# Wants root on Debian with buildah and mmdebstrap, and the wheels' registry; the build itself has no way out.
set -euo pipefail
cd "$(dirname "$0")/../.."

BASE=localhost/payorch-test-base:bookworm
IMAGE=localhost/payorch:test
WORK=$PWD/build/image
WHEELS=$WORK/wheels
export BUILDAH_ISOLATION=chroot

for tool in buildah mmdebstrap; do
  command -v "$tool" >/dev/null || { echo "$tool is needed: apt-get install buildah mmdebstrap" >&2; exit 1; }
done
mkdir -p "$WHEELS"

echo "== wheels, by hash, for the base's interpreter"
for lock in runtime build; do
  .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --python-version 3.11 --require-hashes -r "requirements/$lock.txt" -d "$WHEELS"
done

if ! buildah inspect --type image "$BASE" >/dev/null 2>&1; then
  echo "== a base like python:3.11-slim-bookworm"
  mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3,python3-venv bookworm "$WORK/base.tar"
  base=$(buildah from scratch)
  buildah add --quiet "$base" "$WORK/base.tar" / >/dev/null
  buildah run "$base" -- ln -s python3 /usr/bin/python
  printf '[global]\nno-index = true\nfind-links = /wheelhouse\n' >"$WORK/pip.conf"
  buildah copy --quiet "$base" "$WORK/pip.conf" /etc/pip.conf >/dev/null
  buildah commit --quiet --rm "$base" "$BASE" >/dev/null
  rm "$WORK/base.tar"
fi

echo "== build, without a network"
unshare --net buildah build --pull-never --layers=false --volume "$WHEELS:/wheelhouse:ro" --build-arg "BASE=$BASE" \
  --build-arg VERSION=test --build-arg "REVISION=$(git rev-parse HEAD)" --tag "$IMAGE" .

echo "== look"
container=$(buildah from --pull-never "$IMAGE")
trap 'buildah rm "$container" >/dev/null' EXIT
PYTHONPATH=tests .venv/bin/python tests/image/look.py "$container" "$BASE"
