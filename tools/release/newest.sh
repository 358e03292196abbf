#!/usr/bin/env bash
# The newest version that has a tag at `origin`, by number, without those with a suffix; nothing where there is none:
#
#     tools/release/newest.sh [4 | 4.1]      of all, or of one line
set -euo pipefail

git ls-remote --tags --refs origin "refs/tags/v${1:+$1.}*" | sed 's|.*refs/tags/v||' |
  { grep -Ex '[0-9]+\.[0-9]+\.[0-9]+' || :; } | sort -V | tail -n 1
