"""The Slurm script of served judges, with stand-ins for Slurm and vLLM on two addresses of this machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from editbench.paths import ScorePaths

from .server import MODEL
from .test_stage import KEYS, wait_until

TESTS = Path(__file__).parents[2]
SCRIPT = TESTS / "fleet" / "slurm_served.sh"
NODES = ("127.0.0.1", "127.0.0.2")
SCONTROL = '#!/bin/sh\n[ "$*" = "show hostnames $SLURM_JOB_NODELIST" ] && printf "%s\\n" $SLURM_JOB_NODELIST\n'
SRUN = """#!/bin/bash
shift # --kill-on-bad-exit=0
for node in $SLURM_JOB_NODELIST; do NODE=$node "$@" & tasks="$tasks $!"; done
trap 'kill $tasks' TERM
wait; wait
"""
VLLM = f"""#!{sys.executable}
import os, sys, time
from pathlib import Path
from score.served.server import Reply, Server
Path("vllm-" + os.environ["NODE"]).write_text(" ".join(sys.argv[1:]))
time.sleep(0.3)
reply = Reply(seconds=float(os.environ["SECONDS_A_REPLY"]))
with Server(lambda *_: reply, host=os.environ["NODE"], port=int(os.environ["port"])).running():
    time.sleep(60)
"""
EDITBENCH = f'#!/bin/sh\nexec {sys.executable} -m editbench "$@"\n'


@pytest.fixture
def job(tmp_path: Path, make_edits: Callable[..., Path], short: str) -> Callable[..., subprocess.Popen[str]]:
    """Starts the script on these edits, in a group of its own."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in {"scontrol": SCONTROL, "srun": SRUN, "vllm": VLLM, "editbench": EDITBENCH}.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH")))),
        "SLURM_JOB_NODELIST": " ".join(NODES),
        "SLURM_GPUS_ON_NODE": "8",
        "PORT": str(port),
        "POLL": "0.1",
    }
    edits, out = make_edits(), tmp_path / "scores"
    words = ["bash", str(SCRIPT), str(edits), MODEL, str(out), "--rubric", short, "--concurrency", "1"]

    def start(seconds_a_reply: float) -> subprocess.Popen[str]:
        asked = {**environment, "SECONDS_A_REPLY": str(seconds_a_reply)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(words, cwd=tmp_path, env=asked, start_new_session=True, **pipes)

    return start


def left(process: subprocess.Popen[str]) -> bool:
    """Whether anything that the script has started is still there."""
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_every_node_serves_the_judge_and_a_job_that_runs_out_of_time_stops_them_and_goes_on_in_the_next(
    job: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process, paths = job(0.5), ScorePaths(tmp_path / "scores")
    wait_until(lambda: len(paths.all_chunks()) >= 1)
    process.send_signal(signal.SIGTERM)
    said = process.communicate()[0]
    assert process.returncode == 128 + signal.SIGTERM, said
    assert not left(process)
    assert 1 <= len(paths.all_chunks()) < len(KEYS)
    again = job(0.0)
    said = again.communicate()[0]
    assert again.returncode == 0, said
    assert not left(again)
    assert len(paths.scores.read_bytes().splitlines()) == len(KEYS)
    for node in NODES:
        words = (tmp_path / f"vllm-{node}").read_text()
        assert words.startswith(f"serve {MODEL} --tensor-parallel-size 8 --port ")
    timed = map(orjson.loads, paths.timings.read_bytes().splitlines())
    assert {row["device"].partition(":")[0] for row in timed} == {*NODES}


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not here")
def test_shellcheck_finds_nothing() -> None:
    subprocess.run(["shellcheck", str(SCRIPT)], check=True)
