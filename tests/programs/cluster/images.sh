#!/usr/bin/env bash
# Builds the image as tests/programs/image does and puts it into an archive for the node, beside the one that holds
# a pod's namespaces open; that one is the same image doing nothing, because no other can be pulled.
set -euo pipefail
cd "$(dirname "$0")/../../.."

IMAGE=localhost/payorch:test
SANDBOX=localhost/payorch-test-sandbox:1
ARCHIVES=$PWD/build/cluster
export BUILDAH_ISOLATION=chroot

tests/programs/image/build_with_buildah.sh
echo "== archives"
container=$(buildah from --pull-never "$IMAGE")
buildah config --entrypoint '["/bin/sleep", "infinity"]' "$container"
buildah commit --quiet --rm "$container" "$SANDBOX" >/dev/null
rm -f "$ARCHIVES/sandbox.tar" "$ARCHIVES/payorch.tar"
buildah push --quiet "$SANDBOX" "docker-archive:$ARCHIVES/sandbox.tar:$SANDBOX"
buildah push --quiet "$IMAGE" "docker-archive:$ARCHIVES/payorch.tar:$IMAGE"
