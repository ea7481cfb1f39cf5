#!/usr/bin/env bash
# Builds the image as tests/programs/image does and puts it into an archive for the node, beside the one that holds
# a pod's namespaces open; that one is the same image doing nothing, because no other can be pulled. A third one holds
# this machine's Redis and the locked Envoy with the libraries they load, and nothing else.
set -euo pipefail
cd "$(dirname "$0")/../../.."

IMAGE=localhost/payorch:test
SANDBOX=localhost/payorch-test-sandbox:1
NEIGHBOURS=localhost/payorch-test-neighbours:1
ARCHIVES=$PWD/build/cluster
ENVOY=build/gateway/envoy/_bin/envoy
export BUILDAH_ISOLATION=chroot

# The first on the PATH that is a program: a version manager's script cannot be copied into an image.
REDIS=$(type -aP redis-server | while read -r found; do ! ldd "$found" &>/dev/null || { echo "$found"; break; }; done || true)
[ -n "$REDIS" ] || { echo "redis-server is needed: apt-get install redis-server" >&2; exit 1; }

archive() {  # IMAGE NAME
  rm -f "$ARCHIVES/$2.tar"
  buildah push --quiet "$1" "docker-archive:$ARCHIVES/$2.tar:$1"
}

tests/programs/image/build_with_buildah.sh
echo "== archives"
container=$(buildah from --pull-never "$IMAGE")
buildah config --entrypoint '["/bin/sleep", "infinity"]' "$container"
buildah commit --quiet --rm "$container" "$SANDBOX" >/dev/null
archive "$SANDBOX" sandbox
archive "$IMAGE" payorch

root=$(mktemp -d "$ARCHIVES/neighbours.XXXXXX")
trap 'rm -rf "$root"' EXIT
mkdir "$root/bin"
cp -L "$REDIS" "$root/bin/redis-server"
cp "$ENVOY" "$root/bin/envoy"
ldd "$REDIS" "$ENVOY" | grep -o '/[^ ]*\.so[^ ]*' | sort -u | xargs cp -L --parents --target-directory "$root"
chmod -R go+rX "$root"
container=$(buildah from scratch)
buildah copy --quiet "$container" "$root" / >/dev/null
buildah commit --quiet --rm "$container" "$NEIGHBOURS" >/dev/null
archive "$NEIGHBOURS" neighbours
