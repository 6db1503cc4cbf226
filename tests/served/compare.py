"""A served judge on real servers: `compare.py FOLDER`, which `build.sh` has filled. Run by `make test-served`.

Scores the small world's edits in this process and over two llama-servers with the same weights, one of which is killed half-way
and started again, and prints the differences. Ends with 1 where one is beyond APART.

The servers keep keys and values in float32, as the judge here does: in their default, float16, the largest difference is three
times as large. What is left comes of llama.cpp's GELU, by a table in float16, and its tanh form where the model has the exact
one: with both put into this process's judge half of the largest difference is gone.
"""

from __future__ import annotations

import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import orjson

import editbench
from editbench.paths import ScorePaths

ROOT = Path(editbench.__file__).parents[1]
SCORING = ("--rubric", "world", "--readout", "expected", "--progress", "off")
SHOWN, APART = 10, 0.05
"""Differences shown, and the largest that rounding leaves: 0.01 where it was measured."""
EXACT = ("--flash-attn", "off", "--cache-type-k", "f32", "--cache-type-v", "f32")


class Server:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> None:
        files = ("-m", str(self._folder / "judge.gguf"), "--mmproj", str(self._folder / "mmproj.gguf"))
        where = ("--host", "127.0.0.1", "--port", str(self._port), "-c", "16384", "--no-warmup", "-t", "1")
        with open(self._folder / f"server-{self._port}.log", "ab") as log:
            self._process = subprocess.Popen([self._folder / "llama-server", *files, *where, *EXACT], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not self._answers():
            if time.monotonic() > deadline:
                raise TimeoutError(f"llama-server does not start: {log.name}")
            time.sleep(0.1)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            return urllib.request.urlopen(f"{self.url}/models", timeout=1).status == 200
        except (urllib.error.URLError, OSError):
            return False


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "editbench", *map(str, words)]


def scores(out: Path) -> dict[str, float | None]:
    rows = map(orjson.loads, ScorePaths(out).scores.read_bytes().splitlines())
    return {row["key"]: row["score"] for row in rows}


def served(edits: Path, out: Path, servers: list[Server]) -> None:
    """Score with both servers; the second is killed when a fifth is done, and started again."""
    endpoints = [word for server in servers for word in ("--endpoint", server.url)]
    words = ("score", edits, "--model", "judge.gguf", *endpoints, "--concurrency", 2, *SCORING, "--out", out)
    run = subprocess.Popen(command(*words))
    while run.poll() is None and len(ScorePaths(out).all_chunks()) < len(scores(edits.with_name("here"))) // 5:
        time.sleep(0.02)
    servers[1].kill()
    time.sleep(1)
    servers[1].start()
    if run.wait():
        raise SystemExit("the served run has failed")


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    work = folder / "runs"
    shutil.rmtree(work, ignore_errors=True)
    edits, here, there = work / "edits", work / "here", work / "there"
    subprocess.run(
        command("edit", ROOT / "shards" / "world", "--model", "mixed", "--out", edits, "--progress", "off"), check=True
    )
    judge = ROOT / "editbench" / "world" / "judge"
    subprocess.run(command("score", edits, "--model", judge, *SCORING, "--out", here), check=True)
    servers = [Server(folder), Server(folder)]
    try:
        served(edits, there, servers)
    finally:
        for server in servers:
            server.kill()
    ours, theirs = scores(here), scores(there)
    if ours.keys() != theirs.keys() or None in {*ours.values(), *theirs.values()}:
        raise SystemExit("not every sample has a score")
    tell(ours, theirs)
    timed = [orjson.loads(line) for line in ScorePaths(there).timings.read_bytes().splitlines()]
    if sorted(row["keys"][0] for row in timed) != sorted(ours):
        raise SystemExit("a sample was judged twice, or never")


def tell(ours: dict[str, float], theirs: dict[str, float]) -> None:
    """Print the largest differences. Raises SystemExit where one is too large."""
    apart = sorted(((abs(ours[key] - theirs[key]), key) for key in ours), reverse=True)
    correlation = statistics.correlation([*ours.values()], [theirs[key] for key in ours])
    lines = [f"{key:<24} {ours[key]:8.4f} {theirs[key]:8.4f} {difference:8.4f}" for difference, key in apart[:SHOWN]]
    middle = statistics.median(difference for difference, _ in apart)
    lines.append(f"{len(apart)} samples: correlation {correlation:.7f}, median difference {middle:.7f}")
    sys.stdout.write("\n".join(lines) + "\n")
    if apart[0][0] > APART:
        raise SystemExit(f"the two do not agree: {apart[0][1]} differs by more than {APART}")


if __name__ == "__main__":
    main()
