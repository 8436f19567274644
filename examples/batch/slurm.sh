#!/bin/bash
# A cohort on Slurm: every task of the array takes its shard of the manifest. Submit it again after a failure or a time limit: finished
# studies are skipped. Logs of studies are in MANIFEST.log/, those of tasks in slurm-*.out.
#   sbatch --array=1-8 examples/batch/slurm.sh studies.csv [options of denoise for all studies]
#SBATCH --job-name=coincide
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
set -euo pipefail
manifest=$1
shift
shard=$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN + 1))/$SLURM_ARRAY_TASK_COUNT
# exec, and no npx in between: the signal before the time limit reaches coincide, which stops within a second and leaves no half file
exec "$(npm root)/.bin/coincide" batch "$manifest" --shard "$shard" --threads "${SLURM_CPUS_PER_TASK:-1}" -- "$@"
