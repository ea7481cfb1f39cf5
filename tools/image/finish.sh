#!/bin/sh
# Finishes an environment in a build of an image: our packages, byte code, the list of what is in it, and one time.
# finish.sh ENVIRONMENT PROJECT...; the first project is what the environment is for.
set -eu
environment=$1
shift

for project; do
  /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels "./$project"
done
# By name, because pip writes the path of what it installs by path into the environment.
# shellcheck disable=SC2046 - each name is a word
/opt/build/bin/pip --python "$environment/bin/python" install --no-index --no-deps --find-links /wheels \
  $(find /wheels -name '*.whl' -printf '%f\n' | cut -d - -f 1)
/opt/build/bin/pip --python "$environment/bin/python" check
# For people at a shell; the environment is used by its path.
rm "$environment"/bin/[Aa]ctivate*
# Byte code is made now, because nothing can be written later, and trusted without looking at the source's time.
"$environment/bin/python" -m compileall -q --invalidation-mode unchecked-hash "$environment/lib"
/opt/build/bin/python tools/image/sbom.py "$environment" "$1/pyproject.toml"
find "$environment" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
