#!/usr/bin/env bash
# Edit a benchmark on several nodes of a Slurm cluster, all GPUs of each, on a shared file system. `sbatch slurm.sh BENCH MODEL OUT`
#SBATCH --job-name=editbench
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@60
set -euo pipefail
bench=$1 model=$2 out=$3

# Every node runs the same command. The first node is the head: it plans, seals and finishes. A job that is preempted, requeued or out
# of time goes on where it stopped.
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export bench model out head
# shellcheck disable=SC2016 # each node expands its own
srun --kill-on-bad-exit=0 bash -c 'exec editbench edit "$bench" --model "$model" --out "$out" \
    --nnodes "$SLURM_NNODES" --node-rank "$SLURM_NODEID" --rdzv-endpoint "$head:29500" --rdzv-id "$SLURM_JOB_ID"'
