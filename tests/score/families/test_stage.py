"""`editbench score` with judges of other families, thoughts and adapters, down to the rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import peft
import pytest
import torch
from processes import Command
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from editbench.errors import UserError
from editbench.fleet.run_options import RunOptions
from editbench.foreign_paths import CheckpointPaths
from editbench.paths import ScorePaths, TinyPaths
from editbench.score import adapters, stage
from editbench.score.settings import ScoreSettings

from ..judges import PULSE
from .tiny_families import FAMILIES

TWO = """
[criteria.likely]
range = [1, 5]
[questions.again]
images = ["source", "edited"]
criteria = ["likely"]
text.en = "Likely?"
"""


def adapted(model: Path, folder: Path) -> Path:
    """An adapter of the model whose updates are no small ones."""
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    peft.get_peft_model(AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32), config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("readout", ["generate", "expected"])
@pytest.mark.parametrize("name", ["internvl", "gemma3", "qwen2_5_vl"])
def test_rows_of_a_chunk_are_the_same_first_or_last(
    work: Any, short_rubric: str, tmp_path: Path, name: str, readout: str
) -> None:
    text = short_rubric.replace('score = "score"', 'score = "mean(all)"') + TWO
    drawn = {"votes": 2, "temperature": 1.0} if readout == "generate" else {}
    worker = work(
        FAMILIES[name](tmp_path / name),
        rubric_text=text,
        readout=readout,
        batch_size=2,
        plan=range(3),
        max_new_tokens=4,
        **drawn,
    )

    def judged(order: Any) -> dict[int, bytes]:
        for item in order:
            worker.store(item, worker.compute(item, worker.prepare(item), PULSE), 1.0)
        return {item: worker._chunks.paths.chunk(item).read_bytes() for item in order}

    first = judged(range(3))
    assert judged((2, 1, 0)) == first
    rows = [orjson.loads(line) for item in range(3) for line in first[item].splitlines()]
    assert [(row["status"], row["read"]) for row in rows] == [("ok", "expected" if readout == "expected" else "forced")] * 5


def test_a_command_judges_by_an_adapted_model_of_any_family_and_says_so(
    make_edits: Callable[..., Path], short_rubric: str, tmp_path: Path
) -> None:
    edits, rubric, model = make_edits(), tmp_path / "short.toml", FAMILIES["qwen2_5_vl"](tmp_path / "own")
    rubric.write_text(short_rubric)
    adapter = adapted(model, tmp_path / "lora")
    options = ["score", str(edits), "--model", str(model), "--adapter", str(adapter), "--rubric", str(rubric)]
    options += ["--readout", "expected", "--thinking-budget", "5", "--out", str(tmp_path / "scores")]
    status, said = Command(options).run()
    assert status == 0, said
    assert "qwen2_5_vl through transformers' generate" in said
    paths = ScorePaths(tmp_path / "scores")
    identity = orjson.loads(paths.identity.read_bytes())
    assert identity["model"]["name"].startswith("own + lora@")
    assert (identity["model"]["family"], identity["model"]["adapter"]["name"]) == ("qwen2_5_vl", "lora")
    assert identity["settings"]["thinking_budget"] == 5
    assert orjson.loads(paths.environment.read_bytes())["judge"] == "qwen2_5_vl through transformers' generate"
    rows = [orjson.loads(line) for line in paths.scores.read_bytes().splitlines()]
    assert {(row["status"], row["response"]) for row in rows} == {
        ("unparsed", "<think>\n[cut: the thought did not end; it may have 5 tokens]")
    }


def test_an_adapter_is_in_the_weights_and_in_the_identity_by_its_contents(checkpoints: TinyPaths, tmp_path: Path) -> None:
    adapter = adapted(checkpoints.judge, tmp_path / "lora")
    plain, merged = (
        AutoModelForImageTextToText.from_pretrained(checkpoints.judge, dtype=torch.float32).state_dict(),
        adapters.merged(
            AutoModelForImageTextToText.from_pretrained(checkpoints.judge, dtype=torch.float32), adapter
        ).state_dict(),
    )
    changed = {name.split(".")[-2] for name in plain if not torch.equal(plain[name], merged[name])}
    assert (plain.keys(), changed) == (merged.keys(), {"q_proj", "v_proj"})
    before = stage._judge(str(checkpoints.judge), ScoreSettings(), RunOptions(), adapter).identity
    adapted(checkpoints.judge, adapter)
    after = stage._judge(str(checkpoints.judge), ScoreSettings(), RunOptions(), adapter).identity
    assert before["adapter"]["digest"] != after["adapter"]["digest"]
    assert before["name"] != after["name"]


def test_an_adapter_of_another_model_is_refused(checkpoints: TinyPaths, tmp_path: Path) -> None:
    other = adapted(FAMILIES["internvl"](tmp_path / "internvl"), tmp_path / "lora")
    model = AutoModelForImageTextToText.from_pretrained(checkpoints.judge, dtype=torch.float32)
    with pytest.raises(UserError, match="does not fit the model"):
        adapters.merged(model, other)


def test_an_adapter_with_a_head_of_its_own_is_refused(checkpoints: TinyPaths, tmp_path: Path) -> None:
    adapter = adapted(checkpoints.judge, tmp_path / "lora")
    weights = CheckpointPaths(adapter).adapter_weights
    save_file({**load_file(weights), "base_model.model.reward_head.weight": torch.ones(1, 32)}, weights)
    model = AutoModelForImageTextToText.from_pretrained(checkpoints.judge, dtype=torch.float32)
    with pytest.raises(UserError, match="reward_head"):
        adapters.merged(model, adapter)


def test_thoughts_stand_in_the_rows_only_where_they_are_kept(work: Any, short_rubric: str, tmp_path: Path) -> None:
    folder = FAMILIES["internvl"](tmp_path / "internvl")
    for keep in (True, False):
        shutil.rmtree(tmp_path / "scores", ignore_errors=True)
        shutil.rmtree(tmp_path / "edits", ignore_errors=True)
        worker = work(folder, rubric_text=short_rubric, readout="expected", thinking_budget=3, keep_thoughts=keep)
        judge = worker._runner.result().judge
        judge._decode = _thinking(judge, judge._decode)
        rows = [one.row for one in worker.compute(0, worker.prepare(0), PULSE).values()]
        assert {row.status for row in rows} == {"ok"}
        assert {row.response for row in rows} == {"<think>\nok\n</think>\n\n" if keep else ""}


def _thinking(judge: Any, decode: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Decodes a thought that ends, where one is asked for."""
    ids = judge._decoder.encode("ok</think>")

    def decoded(batch: Any, choose: Any, limit: int, *stop: int) -> torch.Tensor:
        return torch.tensor([ids] * len(batch.questions)) if stop else decode(batch, choose, limit)

    return decoded
