#!/bin/sh
# After a step of the action failed or was cancelled: nothing of it may stay in the queue until the job's end.
set -eu
# Without its folder and the program nothing was asked for.
[ -n "$K8S_LOCK_ACTION_FOLDER" ] || exit 0
[ -e "$K8S_LOCK_ACTION_FOLDER/bin/k8s-lock" ] || [ -e "$K8S_LOCK_ACTION_FOLDER/bin/k8s-lock.exe" ] || exit 0
exec "$K8S_LOCK_ACTION_FOLDER/bin/k8s-lock" __action give-back
