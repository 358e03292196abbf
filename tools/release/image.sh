#!/usr/bin/env bash
# Builds the container image of a release for both architectures, tries it and pushes it:
#
#     tools/release/image.sh DIR NAME VERSION      DIR as tools/release/build.ts leaves it, NAME as HOST/OWNER/k8s-lock, in lower case
#
# Needs Docker with buildx, logged in to the registry. Writes digest= into GITHUB_OUTPUT.
set -euo pipefail

assets=$(cd "$1" && pwd)
name=$2
version=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Docker's names of the architectures, and ours.
for pair in amd64:x64 arm64:arm64; do
  mkdir -p "$work/${pair%%:*}"
  tar -xzf "$assets/k8s-lock-linux-${pair##*:}.tar.gz" -C "$work/${pair%%:*}"
done
mkdir "$work/home"
cp "$here/Dockerfile" "$work/"
build() {
  docker buildx build --label "org.opencontainers.image.version=$version" --label "org.opencontainers.image.source=https://github.com/${GITHUB_REPOSITORY:?}" "$@" "$work"
}

build --load --tag k8s-lock:try
[ "$(docker run --rm k8s-lock:try k8s-lock --version)" = "$version" ]
docker run --rm k8s-lock:try k8s-lock run smoke --local -- true

tags=(--tag "$name:$version")
# Those that move go forwards only, also when this is run again after a later version.
for moving in "${version%.*}" "${version%%.*}"; do
  [ "$("$here/newest.sh" "$moving")" != "$version" ] || tags+=(--tag "$name:$moving")
done
docker buildx create --use --name k8s-lock-release --driver docker-container
build --platform linux/amd64,linux/arm64 --provenance=false --push --metadata-file "$work/metadata.json" "${tags[@]}"
digest=$(jq -r '."containerimage.digest"' "$work/metadata.json")
[[ "$digest" == sha256:* ]]
printf 'digest=%s\n' "$digest" >>"${GITHUB_OUTPUT:-/dev/stdout}"
