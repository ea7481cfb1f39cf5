#!/usr/bin/env bash
# Builds the images of the service and of the emulator with the first engine that works, and installs nothing.
# ENGINE=docker, podman or buildah takes that one; ENGINE=none builds as where there is none.
# BASE and DIGEST name another base image.
set -euo pipefail
cd "$(dirname "$0")/../.."

ENGINE=${ENGINE:-}
BASE=${BASE:-$(sed -n 's/^ARG BASE=//p' Dockerfile | head -n 1)}
DIGEST=${DIGEST:-}
FROM=$BASE${DIGEST:+@$DIGEST}
VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REVISION=$(git describe --always --abbrev=40 --exclude '*' --dirty)
# The commit's time, so that the same commit gives the same image.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

# Says why, if it does not work.
works() {
  command -v "$1" >/dev/null || { echo "  $1 is not installed."; return 1; }
  "$1" info >/dev/null 2>&1 || { echo "  $1 does not answer: try \"$1 info\"."; return 1; }
  "$1" inspect --type image "$FROM" >/dev/null 2>&1 || "$1" pull "$FROM" || { echo "  $1 cannot pull $FROM."; return 1; }
}

build() {  # IMAGE [OPTIONS]
  local arguments=(--tag "$1" "${@:2}")
  for argument in "BASE=$BASE" "DIGEST=$DIGEST" "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" "VERSION=$VERSION" \
    "REVISION=$REVISION"; do
    arguments+=(--build-arg "$argument")
  done
  # docker takes the time from the environment.
  [ "$engine" = docker ] || arguments+=(--timestamp "$SOURCE_DATE_EPOCH")
  echo "== $1, with $engine"
  "$engine" build "${arguments[@]}" .
}

list() {  # IMAGE FILE
  local container
  if [ "$engine" = buildah ]; then
    container=$(buildah from --pull-never "$1")
    buildah run "$container" -- cat /opt/payorch/sbom.cdx.json >"$2"
  else
    container=$("$engine" create "$1")
    "$engine" cp "$container:/opt/payorch/sbom.cdx.json" "$2"
  fi
  "$engine" rm "$container" >/dev/null
}

engine=
if [ "$ENGINE" != none ]; then
  echo "Looking for an engine that works, with the base $FROM ..."
  for candidate in ${ENGINE:-docker podman buildah}; do
    if works "$candidate"; then engine=$candidate && break; fi
  done
fi
if [ -z "$engine" ] && [ -n "$ENGINE" ] && [ "$ENGINE" != none ]; then
  echo "So ENGINE=$ENGINE cannot build the image." >&2
  exit 1
fi
if [ -z "$engine" ]; then
  echo "****************************************************************************************************"
  echo "No engine is used, so the base is NOT $FROM but a Debian"
  echo "of the same release made here. The images are good for tests and not for production."
  echo "****************************************************************************************************"
  exec tests/programs/image/build_with_buildah.sh
fi

build "payorch:$VERSION"
build "payorch-zuora-emulator:$VERSION" --target emulator
mkdir -p build/image
list "payorch:$VERSION" build/image/sbom.cdx.json
echo "Built payorch:$VERSION and payorch-zuora-emulator:$VERSION; build/image/sbom.cdx.json lists what the first holds."
