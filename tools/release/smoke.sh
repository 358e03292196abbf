#!/usr/bin/env bash
# Tries a built release on this system, before it is published:
#
#     tools/release/smoke.sh DIR PLATFORM      DIR as tools/release/build.ts leaves it, PLATFORM as linux-x64
#
# The archive's hash; the action's own install script, from a server of this machine, as a job gets it; then a lock taken, held
# and given back without a cluster (--local), and with one where KUBECONFIG names one.
set -euo pipefail

assets=$(cd "$1" && pwd)
platform=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
archive=k8s-lock-$platform.tar.gz
work=$(mktemp -d)
server=''
clean_up() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || :
    wait "$server" 2>/dev/null || :
  fi
  rm -rf "$work"
}
trap clean_up EXIT

say() { printf '== %s\n' "$*"; }

sum() {
  if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -c 1-64
}

say "$archive has the hash of SHA256SUMS"
expected=$(awk -v name="$archive" '$2 == name { print $1 }' "$assets/SHA256SUMS")
[ -n "$expected" ] && [ "$(sum "$assets/$archive")" = "$expected" ]

say "the action's install script takes it"
python=$(command -v python3 || command -v python)
version=$(sed -n 's/^ *"version": "\(.*\)",*$/\1/p' "$here/deno.json" | head -n 1)
mkdir -p "$work/www/v$version" "$work/action"
cp "$assets/$archive" "$work/www/v$version/"
cp "$here/action/install.sh" "$work/action/"
cat >"$work/action/release.txt" <<END
repository acme/k8s-lock
version $version
$platform $expected $(wc -c <"$assets/$archive" | tr -d ' ')
END
# Without `exec` a shell would be stopped, and not the server.
(cd "$work/www" && exec "$python" -u -m http.server --bind 127.0.0.1 0) >"$work/server" 2>&1 &
server=$!
port=''
for _ in $(seq 100); do
  port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$work/server")
  [ -z "$port" ] || break
  sleep 0.1
done
[ -n "$port" ]
K8S_LOCK_ACTION_FOLDER=$work/job K8S_LOCK_ACTION_DOWNLOAD_URL=http://127.0.0.1:$port RUNNER_TOOL_CACHE='' GITHUB_PATH='' \
  bash "$work/action/install.sh"
lock=$work/job/bin/k8s-lock

say 'it says its version'
[ "$("$lock" --version | tr -d '\r')" = "$version" ]

# try STORE OPTION…: a lock is taken, verified and given back by steps, and held while a command runs.
try() {
  local store=$1
  shift
  say "a lock is taken and given back: $store"
  # One job in several steps.
  export K8S_LOCK_STATE_DIR=$work/state-$store
  "$lock" acquire smoke "$@" --ttl 30s
  "$lock" verify smoke "$@"
  "$lock" status smoke "$@"
  "$lock" release smoke "$@" --strict
  if "$lock" verify smoke "$@"; then
    echo 'it is still held after its release' >&2
    return 1
  fi
  say "a command runs under it: $store"
  local code=0 said
  # shellcheck disable=SC2016 # for the shell that is started
  said=$("$lock" run smoke "$@" -- bash -c 'echo "token $K8S_LOCK_TOKEN"; exit 7') || code=$?
  [ "$code" -eq 7 ]
  [[ "$said" == "token "[0-9]* ]]
}

try local --local --local-path "$work/locks.db"
if [ -n "${KUBECONFIG:-}" ]; then try cluster; fi
say 'all is well'
