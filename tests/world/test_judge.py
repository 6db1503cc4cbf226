"""The trained judge that comes with the package: what it is, and that it is the one whose accuracy is told."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path

import pytest

from editbench.foreign_paths import CheckpointPaths
from editbench.paths import TinyPaths

pytest.importorskip("transformers")
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration

from editbench.score.readout import ScoreTokens

SHA256 = "364f3f0c388dbe88f7ac29e3726214ef567d3ad05dad142680824895cc31211f"
"""Of the weights that shards/README.md tells the accuracy of."""


@pytest.fixture(scope="module")
def judge(checkpoints: TinyPaths) -> Path:
    return checkpoints.judge_world


def test_it_is_written_as_it_came(judge: Path) -> None:
    shipped = resources.files("editbench.world").joinpath("judge")
    assert len([*shipped.iterdir()]) == 7
    for file in shipped.iterdir():
        assert (judge / file.name).read_bytes() == file.read_bytes()
    (weights,) = CheckpointPaths(judge).weights()
    assert weights.stat().st_size < 4_000_000
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == SHA256


def test_it_is_a_qwen3_vl_of_a_few_million_parameters(judge: Path) -> None:
    model = Qwen3VLForConditionalGeneration.from_pretrained(judge, local_files_only=True)
    assert 1_000_000 < sum(value.numel() for value in model.parameters()) < 4_000_000
    assert all(bool(value.isfinite().all()) for value in model.parameters())


@pytest.mark.parametrize("name", ["judge", "judge_world"])
def test_sections_of_the_interleaved_rope_name_just_the_rotations_that_there_are(name: str, checkpoints: TinyPaths) -> None:
    """Where one names more, llama.cpp gives what is left no position at all, and transformers that of the time."""
    text = json.loads(CheckpointPaths(getattr(checkpoints, name)).config.read_bytes())["text_config"]
    rotations = range(text["head_dim"] // 2)
    assert text["rope_parameters"]["mrope_section"] == [len(rotations[axis::3]) for axis in range(3)]


def test_it_reads_scores_by_their_digits(judge: Path) -> None:
    assert ScoreTokens.of(AutoTokenizer.from_pretrained(judge, local_files_only=True)) is not None


def test_its_tokens_are_those_that_the_training_makes(judge: Path) -> None:
    from editbench.world.training.tokens import tokenizer

    stored = json.loads(CheckpointPaths(judge).tokenizer.read_bytes())
    made = json.loads(tokenizer().backend_tokenizer.to_str())
    assert (stored["model"]["vocab"], stored["added_tokens"]) == (made["model"]["vocab"], made["added_tokens"])
