#!/usr/bin/env bash
# Score edits on a Slurm cluster with a judge that is too large for one GPU: every node serves it by vLLM over all its GPUs, and one
# editbench asks all of them. `sbatch slurm_served.sh EDITS MODEL OUT [options of score]`. From the environment: PORT, and the seconds
# that servers may take to start (LOADING) and after which they are looked for again (POLL).
#SBATCH --job-name=editbench-served
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@60
set -euo pipefail
edits=$1 out=$3
export model=$2 port=${PORT:-8000}
shift 3

# shellcheck disable=SC2016 # each node expands its own
srun --kill-on-bad-exit=0 bash -c 'exec vllm serve "$model" --tensor-parallel-size "$SLURM_GPUS_ON_NODE" --port "$port" \
    --max-model-len 32768 --limit-mm-per-prompt.image 4 --limit-mm-per-prompt.video 0' &
servers=$!
trap 'kill "$servers" 2>/dev/null || true; wait "$servers" || true' EXIT

# A server that dies does not end the others: those that answer are asked.
endpoints=()
deadline=$((SECONDS + ${LOADING:-1800}))
for node in $(scontrol show hostnames "$SLURM_JOB_NODELIST"); do
    until curl --silent --fail --output /dev/null "http://$node:$port/v1/models" || ((SECONDS >= deadline)); do
        kill -0 "$servers" || exit 1
        sleep "${POLL:-5}"
    done
    endpoints+=(--endpoint "http://$node:$port/v1")
done

# A job that is preempted, requeued or out of time goes on where it stopped.
editbench score "$edits" --model "$model" "${endpoints[@]}" --out "$out" "$@" &
score=$!
trap 'kill -TERM "$score" 2>/dev/null || true' TERM
status=0
wait "$score" || status=$?
while kill -0 "$score" 2>/dev/null; do # a signal has ended the wait, not the scoring
    status=0
    wait "$score" || status=$?
done
exit "$status"
