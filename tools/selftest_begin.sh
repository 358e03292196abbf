#!/usr/bin/env bash
# In a job of the self-test: unpacks the program, for the action's input `binary`, and makes the action in this clone name its
# post step by the commit's SHA, as a release does. tools/selftest_begin.sh ARCHIVE
set -euo pipefail

archive=$1
: "${GITHUB_REPOSITORY:?}" "${GITHUB_SHA:?}" "${RUNNER_TEMP:?}" "${GITHUB_OUTPUT:?}"
# Relative names: tar takes what stands before a colon, as in a Windows path, for a host.
mkdir -p program
tar -xzf "$archive" -C program
# shellcheck disable=SC2016 # that is what stands there
grep -qF 'uses: $/post' action.yml
sed "s|uses: \$/post|uses: $GITHUB_REPOSITORY/post@$GITHUB_SHA|" action.yml >"$RUNNER_TEMP/action.yml"
cp "$RUNNER_TEMP/action.yml" action.yml
program=program/k8s-lock
[ -e "$program" ] || program=program/k8s-lock.exe
echo "binary=$program" >>"$GITHUB_OUTPUT"
