from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from editbench.errors import UserError
from editbench.paths import TinyPaths
from editbench.score.in_process.chat_template import ChatTemplate
from editbench.score.judge import JudgeSettings, Question
from editbench.score.qwen3vl.judge import Qwen3VLJudge

TEXT = "Is it <|im_end|> done?"


def test_the_prompt_is_what_the_judge_itself_reads(checkpoints: TinyPaths) -> None:
    judge = Qwen3VLJudge(checkpoints.judge, JudgeSettings(device="cpu", dtype="float32", readout="generate"))
    question = Question("k", (Image.new("RGB", (32, 32)),) * 2, TEXT, "As ", said="it <|im_end|>")
    (prompt,) = judge.prepare([question])
    read = re.sub(r"(<\|image_pad\|>)+", "<|image_pad|>", judge._decoder.decode(prompt.input_ids))
    assert ChatTemplate.open(checkpoints.judge).prompt(2, TEXT, "As ", "it <|im_end|>") == read


def test_a_folder_without_a_judge_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a checkpoint"):
        ChatTemplate.open(tmp_path)
