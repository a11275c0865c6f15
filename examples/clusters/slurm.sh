#!/bin/sh
# A study on SLURM: sbatch slurm.sh more-tasks /shared/studies/more-tasks
# One task is the scheduler, one the client, the others are workers; the store is on a shared file system.
# What is done when the time is over is kept; the same job goes on.
#SBATCH --job-name=benign-study
#SBATCH --ntasks=34
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=1G
#SBATCH --time=04:00:00
set -eu
STUDY="$1"
STORE="$2"
FILE="$PWD/scheduler-$SLURM_JOB_ID.json"
srun --exact -n 1 dask scheduler --no-dashboard --scheduler-file "$FILE" &
until [ -s "$FILE" ]; do sleep 1; done
srun --exact -n 32 dask worker --nthreads 1 --no-dashboard --scheduler-file "$FILE" &
ADDRESS=$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["address"])' "$FILE")
benign study run "$STUDY" --out "$STORE" --scheduler "$ADDRESS"
