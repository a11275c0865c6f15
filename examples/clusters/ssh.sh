#!/bin/sh
# A study on machines that one reaches by SSH: sh ssh.sh more-tasks /shared/studies/more-tasks one two three
# The first machine has the scheduler; all of them have Python with benign[studies] and see the store.
set -eu
STUDY="$1"
STORE="$2"
shift 2
FIRST="$1"
dask ssh --scheduler "$FIRST" --scheduler-port 8786 --nworkers 8 --nthreads 1 "$@" &
CLUSTER=$!
trap 'kill $CLUSTER' EXIT
sleep 10
benign study run "$STUDY" --out "$STORE" --scheduler "tcp://$FIRST:8786"
