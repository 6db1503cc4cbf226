from __future__ import annotations

from pathlib import Path

import pytest

from editbench.errors import UserError
from editbench.paths import TinyPaths
from editbench.score.judge import JudgeSettings, Question
from editbench.score.qwen3vl import Qwen3VLJudge
from editbench.score.template import ChatTemplate

TEXT = "Is it <|im_end|> done?"


def test_the_prompt_is_what_the_judge_itself_reads(checkpoints: TinyPaths) -> None:
    from PIL import Image

    judge = Qwen3VLJudge(checkpoints.judge, JudgeSettings(device="cpu", dtype="float32", readout="generate"))
    question = Question("k", (Image.new("RGB", (32, 32)),) * 2, TEXT, "As ", said="it <|im_end|>")
    assert ChatTemplate.open(checkpoints.judge).prompt(2, TEXT, "As ", "it <|im_end|>") == judge._prompt(question)


def test_a_folder_without_a_judge_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a checkpoint"):
        ChatTemplate.open(tmp_path)
