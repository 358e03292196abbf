#!/usr/bin/env bash
# Publishes a built release: the commit that stamps the action, its tag, a draft with all files, and then the release.
#
#     GH_TOKEN=… GITHUB_REPOSITORY=OWNER/REPO tools/release/publish.sh DIR
#
# DIR is what tools/release/build.ts leaves. To be run in a clone whose HEAD is what was built, and which may push tags to
# `origin`. It may be run again after any failure, and then goes on where it was: the commit is made from the same files with
# the same time and so is the same one, a tag that is there must name it, and what is published already is only checked.
set -euo pipefail

assets=$(cd "$1" && pwd)
: "${GITHUB_REPOSITORY:?}" "${GH_TOKEN:?}"
root=$(git rev-parse --show-toplevel)
cd "$root"
version=$(sed -n 's/^ *"version": "\(.*\)",*$/\1/p' deno.json | head -n 1)
tag=v$version
parent=$(git rev-parse HEAD)
work=$(mktemp -d)
trap 'git -C "$root" worktree remove --force "$work/tree" 2>/dev/null || :; rm -rf "$work"' EXIT

stamp() {
  local command=$1
  shift
  deno run -A --frozen "$root/tools/release/stamp.ts" "$command" --repository "$GITHUB_REPOSITORY" --parent "$parent" --assets "$assets" "$@"
}

echo "the files are those of SHA256SUMS"
(cd "$assets" && sha256sum --check --strict --quiet SHA256SUMS)
# And no others: nothing may be published that no hash is known of.
diff <(cd "$assets" && printf '%s\n' * | grep -vx SHA256SUMS | sort) <(awk '{ print $2 }' "$assets/SHA256SUMS" | sort)

echo "the release's commit on $parent"
git worktree add --quiet --detach "$work/tree" "$parent"
(
  cd "$work/tree"
  stamp write
  # The same time, and so the same commit, however often this is run.
  GIT_COMMITTER_DATE=$(git log -1 --format=%cI "$parent")
  export GIT_COMMITTER_DATE GIT_AUTHOR_DATE=$GIT_COMMITTER_DATE
  export GIT_AUTHOR_NAME='github-actions[bot]' GIT_AUTHOR_EMAIL='41898282+github-actions[bot]@users.noreply.github.com'
  export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
  git commit --quiet --message "Release $version

Only what the action installs is stamped: the version, the hashes, and the SHA of its post step." -- action.yml action/release.txt
)
commit=$(git -C "$work/tree" rev-parse HEAD)
stamp check "$commit"

# Of an annotated tag the second line is the commit; ours are not annotated, and somebody else's would not be ours.
there=$(git ls-remote --tags origin "refs/tags/$tag" | cut -f 1)
if [ -z "$there" ]; then
  echo "tag $tag on $commit"
  git push --quiet origin "$commit:refs/tags/$tag"
elif [ "$there" != "$commit" ]; then
  echo "::error::the tag $tag is on $there already, and this release would be $commit: a published version is never changed, raise the version" >&2
  exit 1
fi

if ! state=$(gh release view "$tag" --json isDraft --jq .isDraft 2>"$work/said"); then
  # Only this answer is a no: after another one a second draft would be made.
  grep -q 'release not found' "$work/said" || {
    cat "$work/said" >&2
    exit 1
  }
  state=none
fi
if [ "$state" = none ]; then
  echo "a draft of $tag"
  case $version in *-*) kind=(--prerelease) ;; *) kind=() ;; esac
  gh release create "$tag" --draft --verify-tag --title "$tag" --generate-notes "${kind[@]}"
  state=true
fi
if [ "$state" = true ]; then
  echo "its files"
  gh release upload "$tag" --clobber "$assets"/*
  echo "published"
  # Run again after a later version, it is not the latest.
  latest=--latest=false
  [ "$(tools/release/newest.sh)" != "$version" ] || latest=--latest
  gh release edit "$tag" --draft=false "$latest"
fi

echo "what is published is what was built"
gh release download "$tag" --dir "$work/published"
diff -r "$assets" "$work/published"
immutable=$(gh api "repos/$GITHUB_REPOSITORY/releases/tags/$tag" --jq .immutable)
if [ "$immutable" != true ]; then
  echo "::error::$tag is published, but not immutable: switch on \"release immutability\" in the repository's settings, and publish the next version" >&2
  exit 1
fi
echo "$tag is published, on $commit"
