#!/usr/bin/env bash
# Builds the Dockerfile for real where no container engine runs and no image can be pulled, and looks at the result.
# Wants root on Debian with buildah and mmdebstrap, and the wheels' registry; the builds themselves have no way out.
set -euo pipefail
cd "$(dirname "$0")/../../.."

BASE=${TEST_BASE:-localhost/payorch-test-base:bookworm}
WORK=$PWD/build/image
PROGRESS=".venv/bin/python tools/progress.py"
WHEELS=$WORK/wheels-$(uname -m)
# Not the project's: what is built here is not to be taken for a release.
VERSION=test
REVISION=$(git describe --always --abbrev=40 --exclude '*' --dirty)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export BUILDAH_ISOLATION=chroot

for tool in buildah mmdebstrap; do
  command -v "$tool" >/dev/null || { echo "$tool is needed: apt-get install buildah mmdebstrap" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "Root is needed: a base is made and looked into." >&2; exit 1; }

# Each locked package's wheel by hash, the one that pip prefers where the C library is the base's 2.36. The base's patch
# release may want some that the interpreter of .venv does not, so the markers go.
download() {  # FOLDER MACHINE
  local arguments=()
  for minor in $(seq 36 -1 17); do arguments+=(--platform "manylinux_2_${minor}_$2"); done
  arguments+=(--platform "manylinux2014_$2")
  for lock in runtime emulator build; do
    sed 's/^\([^# ]\S*\) ;.*\\$/\1 \\/' "requirements/$lock.txt" >"$WORK/$lock.txt"
    arguments+=(-r "$WORK/$lock.txt")
  done
  $PROGRESS .venv/bin/python -m pip download --progress-bar off --disable-pip-version-check --no-deps --only-binary :all: \
    --python-version 3.11 --require-hashes "${arguments[@]}" -d "$1"
}

build() {  # SOURCE IMAGE [OPTIONS]
  local arguments=(--pull-never --layers=false --no-cache --timestamp "$SOURCE_DATE_EPOCH" --tag "$2" "${@:3}")
  for argument in "BASE=$BASE" DIGEST= "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" "VERSION=$VERSION" "REVISION=$REVISION"; do
    arguments+=(--build-arg "$argument")
  done
  $PROGRESS unshare --net buildah build "${arguments[@]}" --volume "$WHEELS:/wheelhouse:ro" "$1" ||
    { echo "The build of $2 failed." >&2; exit 1; }
}

LOCKS=$(cat requirements/{runtime,emulator,build}.txt | sha256sum)
mkdir -p "$WORK"
for machine in x86_64 aarch64; do
  folder=$WORK/wheels-$machine
  [ "$(cat "$folder/.locks" 2>/dev/null)" = "$LOCKS" ] && continue
  echo "== wheels of each locked package by hash, for $machine"
  rm -rf "$folder"
  mkdir "$folder"
  download "$folder" "$machine" || { echo "A lock has no hash of a wheel for $machine, see above." >&2; exit 1; }
  echo "$LOCKS" >"$folder/.locks"
done

if ! buildah inspect --type image "$BASE" >/dev/null 2>&1; then
  echo "== a base like python:3.11-slim-bookworm (once, under a minute)"
  $PROGRESS mmdebstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm "$WORK/base.tar"
  base=$(buildah from scratch)
  buildah add --quiet "$base" "$WORK/base.tar" / >/dev/null
  buildah run "$base" -- ln -s python3 /usr/bin/python
  printf '[global]\nno-index = true\nfind-links = /wheelhouse\n' >"$WORK/pip.conf"
  buildah copy --quiet "$base" "$WORK/pip.conf" /etc/pip.conf >/dev/null
  buildah commit --quiet --rm "$base" "$BASE" >/dev/null
  rm "$WORK/base.tar"
fi

echo "== the service's image, without a network"
build . "localhost/payorch:$VERSION"
echo "== the emulator's image"
build . "localhost/payorch-zuora-emulator:$VERSION" --target emulator

echo "== the service's image again, from a copy with other times and modes"
again=$(mktemp -d "$WORK/again.XXXXXX")
trap 'rm -rf "$again"' EXIT
(umask 077 && cp --recursive --parents Dockerfile .dockerignore LICENSE README.md pyproject.toml requirements clients/python \
  service tests/emulator tools/image "$again")
build "$again" localhost/payorch:again

echo "== look"
PYTHONPATH=tests .venv/bin/python -m programs.image.look \
  "localhost/payorch:$VERSION" localhost/payorch:again "localhost/payorch-zuora-emulator:$VERSION" "$BASE"
