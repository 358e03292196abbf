#!/bin/sh
# Does what the action's inputs say. The program takes this shell's place: at a cancel the runner signals the step's first process only,
# and an `acquire` that lived on would get the lock when nobody is there any more to give it back.
set -eu
exec "$K8S_LOCK_ACTION_FOLDER/bin/k8s-lock" __action take
