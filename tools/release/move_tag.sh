#!/usr/bin/env bash
# Moves the tag that most users name (`v4`) to a published release: tools/release/move_tag.sh 4.1.0
#
# Forwards only: run again for an older release, it leaves the tag where it is. A release with a suffix (4.1.0-rc.1) moves
# nothing. To be run in a clone that may push tags to `origin`.
set -euo pipefail

version=$1
if [[ "$version" == *-* ]]; then
  echo "$version is none for everybody: no tag is moved"
  exit 0
fi
moving=v${version%%.*}
commit=$(git ls-remote --tags --refs origin "refs/tags/v$version" | cut -f 1)
if [ -z "$commit" ]; then
  echo "::error::there is no tag v$version" >&2
  exit 1
fi
newest=$("$(dirname "${BASH_SOURCE[0]}")/newest.sh" "${version%%.*}")
if [ "$newest" != "$version" ]; then
  echo "$moving stays: v$newest is newer than v$version"
  exit 0
fi
git fetch --quiet --depth 1 origin "refs/tags/v$version"
git push --quiet --force origin "$commit:refs/tags/$moving"
echo "$moving is v$version now, $commit"
