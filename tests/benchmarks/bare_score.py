"""The yardstick of `editbench score`: the same batches through the same judge one after the other, pictures decoded in between.

    python bare_score.py JOB.json       one process, one thread

It loads the judge, waits for a line on stdin, and goes through the loop; at the end of stdin it just ends.
JOB.json: edits, model, result (file), readout, batch_size, max_pixels, max_new_tokens. The result:

    began, ended    Unix times of the loop; the judge is loaded before
    items           Unix time at which each batch was taken up
    answers         a sample's reply, or in readout `expected` its expected score; in order
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import orjson
import torch

from editbench import images
from editbench.edits import Edits, Entry
from editbench.paths import EDITED, SOURCE
from editbench.score import rubric
from editbench.score.judge import JudgeSettings, Question, Reply
from editbench.score.qwen3vl.judge import Qwen3VLJudge
from editbench.score.readout import expectation
from editbench.score.rubric import Rubric


def main(job: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    chosen, entries, readout = rubric.load("five"), Edits.open(Path(job["edits"])).entries, job["readout"]
    common = {name: job[name] for name in ("readout", "max_pixels", "max_new_tokens")}
    judge = Qwen3VLJudge(Path(job["model"]), JudgeSettings(device="cpu", dtype="float32", **common))
    if not sys.stdin.readline():
        return
    replies: list[Reply] = []
    items = []
    for start in range(0, len(entries), job["batch_size"]):
        items.append(time.time())
        batch = entries[start : start + job["batch_size"]]
        replies += judge.answer(judge.prepare([_question(chosen, entry, readout) for entry in batch]))
    times = {"began": items[0], "ended": time.time(), "items": items}
    answers = [_answer(reply, readout, chosen.scale[0]) for reply in replies]
    Path(job["result"]).write_bytes(orjson.dumps({**times, "answers": answers}))


def _question(chosen: Rubric, entry: Entry, readout: str) -> Question:
    names = [entry.stored.images(SOURCE)[0], EDITED]
    pictures = tuple(images.decode(entry.stored.read(name), name) for name in names)
    ask = chosen.asks(entry.sample, None, readout)[0]
    return Question(entry.sample.key, pictures, ask.text, ask.answer_prefix, ask.criteria)


def _answer(reply: Reply, readout: str, lowest: int) -> str | float | None:
    return reply.text if readout == "generate" else expectation(reply.distributions["score"], lowest)[0]


if __name__ == "__main__":
    main(orjson.loads(Path(sys.argv[1]).read_bytes()))
