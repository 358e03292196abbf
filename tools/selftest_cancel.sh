#!/usr/bin/env bash
# In the self-test: starts a run that holds a lock for long (with a TTL far beyond this script's patience), cancels it, and takes
# the lock itself: that works in time only if the cancelled run gave it back.
set -euo pipefail

: "${GH_TOKEN:?}" "${LOCK:?}" "${BRANCH:?}" "${PROGRAM:?}" "${GITHUB_REPOSITORY:?}"
if [ -z "${K8S_LOCK_KUBECONFIG_DATA:-}" ]; then
  echo "::warning::not tested: the secret SELFTEST_KUBE_CONFIG_DATA is not set"
  exit 0
fi

# until_true SECONDS WHAT COMMAND…
until_true() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    if ((SECONDS > deadline)); then
      echo "::error::waited in vain for $what"
      return 1
    fi
    sleep 3
  done
}
held() { "$PROGRAM" status "$LOCK" --output json | jq -e '.holders | length == 1' >/dev/null; }
find_run() {
  run=$(gh run list --repo "$GITHUB_REPOSITORY" --workflow selftest.yml --event workflow_dispatch --limit 20 --json databaseId,displayTitle,createdAt \
    --jq "[.[] | select(.displayTitle | contains(\"to be cancelled\")) | select(.createdAt >= \"$since\")] | first | .databaseId // empty")
  [ -n "$run" ]
}

since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
gh workflow run selftest.yml --repo "$GITHUB_REPOSITORY" --ref "$BRANCH" --field "victim=$LOCK"
until_true 120 'the run to appear' find_run
until_true 600 'the run to hold the lock' held
gh run cancel "$run" --repo "$GITHUB_REPOSITORY"
"$PROGRAM" acquire "$LOCK" --timeout 90s
"$PROGRAM" release "$LOCK" --strict
