#!/bin/sh
# The step that takes the lock has ended with 0 and without a result.
set -eu
echo "::error title=k8s-lock::the program that was installed has not said whether it holds the lock: it is no k8s-lock, or a start script that loses its exit code (the input binary). Nothing was locked."
exit 1
