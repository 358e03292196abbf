#!/usr/bin/env bash
# Puts the program where the action's other steps find it, and on the PATH of the job's later steps.
#
# In, by the environment:
#   K8S_LOCK_ACTION_FOLDER        this invocation's private folder, made by the action's first step
#   K8S_LOCK_ACTION_BINARY        the input `binary`: a program that is on the machine already; may be empty
#   K8S_LOCK_ACTION_DOWNLOAD_URL  the input `download_url`; may be empty
#   K8S_LOCK_ACTION_VERSION       the input `version`; may be empty
#   GITHUB_ACTION_PATH            the action's own files
#   GITHUB_PATH                   the runner's file for what goes on PATH
# Out: $K8S_LOCK_ACTION_FOLDER/bin/k8s-lock (k8s-lock.exe on Windows), which nothing else of the job touches.
set -euo pipefail

fail() {
  printf '::error title=k8s-lock::%s\n' "$1"
  exit 1
}

bin=$K8S_LOCK_ACTION_FOLDER/bin
name=k8s-lock
[ "${RUNNER_OS:-}" = Windows ] && name=k8s-lock.exe
mkdir -p "$bin"

if [ -n "${K8S_LOCK_ACTION_BINARY:-}" ]; then
  [ -f "$K8S_LOCK_ACTION_BINARY" ] ||
    fail "the input binary names ${K8S_LOCK_ACTION_BINARY}, which is no file on this runner. Put the program there, or leave the input out to have it downloaded."
  # A copy: what the job does with the original later (a cleaned tool cache) must not keep the lock from being given back.
  cp "$K8S_LOCK_ACTION_BINARY" "$bin/$name.new"
else
  fail "this version of the action has no release to download yet. Give the path of the program with the input binary."
fi

chmod 755 "$bin/$name.new"
# Whole or not at all: a cancelled install leaves nothing that could be run.
mv "$bin/$name.new" "$bin/$name"
printf '%s\n' "$bin" >>"$GITHUB_PATH"
