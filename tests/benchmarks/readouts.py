"""What the judge saves by reading pictures once for several questions, and what it costs to write: tests/gpu/judge.py on a CPU.

A judge of random weights in Qwen3-VL-8B's proportions, three questions about the same pictures (score.qwen3vl.prefix_cache).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
from figures import Figure

BATCH, NEW_TOKENS = 2, 32
AIM = 1.0
_SCRIPT = Path(__file__).parents[1] / "gpu" / "judge.py"
_CPU = ["--shape", "small", "--device", "cpu", "--dtype", "float32", "--repeats", "1"]


def judge(work: Path, *, side: int) -> Iterator[Figure]:
    """`side`: of the pictures, in pixels. Raises CalledProcessError when the script fails."""
    out = work / "sharing.json"
    sizes = ["--batch", str(BATCH), "--new-tokens", str(NEW_TOKENS), "--side", str(side), "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, str(_SCRIPT), *_CPU, *sizes], env=environment, stderr=subprocess.DEVNULL, check=True)
    measured = orjson.loads(out.read_bytes())["shapes"]["small"]
    rates = [measured[readout][0]["pairs_a_second"] for readout in ("expected", "generate")]
    yield Figure(f"time of generate, {NEW_TOKENS} tokens, over expected", "", [rates[0] / rates[1]])
    for readout in ("expected", "generate"):
        (times,) = measured[f"{readout}_sharing"]
        name = f"{times['questions']} questions about the same pictures, {readout}: shared over apart"
        yield Figure(name, "", [times["shared_s"] / times["plain_s"]], AIM)
