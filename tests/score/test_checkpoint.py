"""What can't judge is refused from a checkpoint's small files, before its weights are there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from editbench import models
from editbench.errors import UserError
from editbench.fleet.run_options import RunOptions
from editbench.foreign_paths import CheckpointPaths
from editbench.models import Kind, Model
from editbench.paths import TinyPaths
from editbench.score import adapters, stage
from editbench.score.checkpoint import CONFIGS, DOWNLOAD, check_config, check_thinking
from editbench.score.settings import ScoreSettings

THINKING = "{{ messages }}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}{% endif %}"
SWITCHED = THINKING.replace("{{- '<|", "{% if enable_thinking %}<think>{% else %}<think></think>{% endif %}{{- '<|")


def described(folder: Path, config: dict[str, Any], template: str = "") -> CheckpointPaths:
    """The small files of a checkpoint."""
    paths = CheckpointPaths(folder)
    folder.mkdir(exist_ok=True)
    paths.config.write_bytes(orjson.dumps(config))
    if template:
        paths.chat_template.write_text(template)
    return paths


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "llama"}, "is a llama model, which judges no pictures"),
        (
            {"model_type": "internvl_chat", "auto_map": {"AutoModel": "x.Y"}},
            "its code comes with the checkpoint, and is not run",
        ),
        ({"model_type": "florence2"}, "is an encoder-decoder model"),
        ({}, "is a nameless model"),
        (
            {"model_type": "qwen2_5_vl", "architectures": ["Qwen2_5_VLRewardModelBT_MultiHead"]},
            "is a Qwen2_5_VLRewardModelBT_MultiHead: it gives a number from a head of its own",
        ),
        ({"model_type": "qwen3_vl", "architectures": ["Qwen3VLForSequenceClassification"]}, "and no text"),
    ],
)
def test_a_model_that_can_judge_nothing_is_refused(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    described(tmp_path, config)
    with pytest.raises(UserError, match=message):
        check_config(tmp_path)


def test_an_adapter_as_a_model_is_refused(tmp_path: Path) -> None:
    CheckpointPaths(tmp_path).adapter_config.write_text("{}")
    with pytest.raises(UserError, match="is an adapter, not a model") as refused:
        check_config(tmp_path)
    assert "--adapter" in refused.value.remedy


@pytest.mark.parametrize("family", ["qwen3_vl", "internvl", "gemma3", "glm4v", "llava", "qwen2_5_vl"])
def test_families_that_transformers_loads_pass(tmp_path: Path, family: str) -> None:
    paths = described(tmp_path, {"model_type": family}, SWITCHED)
    check_config(tmp_path)
    paths.chat_template.unlink()
    with pytest.raises(UserError, match="has no chat template"):
        check_config(tmp_path)


def test_a_judge_that_always_thinks_needs_a_budget_and_one_that_cannot_takes_none(tmp_path: Path) -> None:
    paths = described(tmp_path, {"model_type": "qwen3_vl"}, THINKING)
    with pytest.raises(UserError, match="thinks before it answers") as refused:
        check_thinking(tmp_path, None)
    assert "--thinking-budget" in refused.value.remedy
    check_thinking(tmp_path, 100)
    paths.tokenizer.write_text('{"added_tokens": [{"content": "<think>"}]}')
    with pytest.raises(UserError, match="has no token </think>"):
        check_thinking(tmp_path, 100)
    paths.tokenizer.write_text('{"added_tokens": [{"content": "</think>"}]}')
    check_thinking(tmp_path, 100)
    paths.chat_template.write_text(SWITCHED)
    check_thinking(tmp_path, None)


@pytest.mark.parametrize(("config", "template"), [({"model_type": "llama"}, ""), ({"model_type": "qwen3_vl"}, THINKING)])
def test_of_a_hub_id_that_is_refused_no_weights_are_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], template: str
) -> None:
    described(tmp_path, config, template)
    hub, asked = Model(Kind.HUB, "Org/Name", "Org/Name", {"kind": "hub", "name": "Org/Name"}), []

    def fetch(model: Model, patterns: Any) -> Model:
        asked.append(patterns)
        return models.replace(model, location=str(tmp_path))

    monkeypatch.setattr(models, "resolve", lambda name: hub)
    monkeypatch.setattr(models, "fetch", fetch)
    for dry in (True, False):
        with pytest.raises(UserError):
            stage._judge("Org/Name", ScoreSettings(), RunOptions(dry_run=dry))
    assert asked == [CONFIGS, CONFIGS]
    assert not any("safetensors" in pattern for pattern in CONFIGS)
    assert any("safetensors" in pattern for pattern in DOWNLOAD)


def test_a_qwen3_vl_checkpoint_is_looked_at_without_torch(checkpoints: TinyPaths) -> None:
    code = "import sys; from pathlib import Path; from editbench.score import checkpoint\n"
    code += "folder = Path(sys.argv[1]); checkpoint.check_local(folder); checkpoint.check_thinking(folder, None)\n"
    code += "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code, str(checkpoints.judge)], check=False).returncode == 0


def test_the_identity_of_the_fast_judge_knows_nothing_of_families_adapters_and_thoughts(checkpoints: TinyPaths) -> None:
    model = stage._judge(str(checkpoints.judge), ScoreSettings(), RunOptions())
    assert set(model.identity) == {"kind", "name", "digest"}
    assert not {"thinking_budget", "keep_thoughts", "adapter"} & ScoreSettings().to_dict().keys()
    assert ScoreSettings(thinking_budget=9).to_dict()["thinking_budget"] == 9
    assert ScoreSettings(**ScoreSettings(thinking_budget=9, keep_thoughts=True).to_dict()).keep_thoughts


def test_thoughts_are_kept_only_where_there_are_some() -> None:
    with pytest.raises(UserError, match="--keep-thoughts without thoughts"):
        ScoreSettings(keep_thoughts=True).check()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "is no adapter"),
        ({"peft_type": "LORA", "task_type": "SEQ_CLS"}, "is an adapter for SEQ_CLS: it gives a number"),
        ({"peft_type": "PROMPT_TUNING"}, "of type PROMPT_TUNING"),
        ({"peft_type": "LORA"}, "has no weights"),
    ],
)
def test_an_adapter_that_cannot_be_merged_is_refused(tmp_path: Path, config: dict[str, Any] | None, message: str) -> None:
    if config is not None:
        CheckpointPaths(tmp_path).adapter_config.write_bytes(orjson.dumps(config))
    with pytest.raises(UserError, match=message):
        adapters.check(tmp_path)
    CheckpointPaths(tmp_path).adapter_weights.write_bytes(b"not weights")
    if config == {"peft_type": "LORA"}:
        with pytest.raises(UserError, match="can't be read"):
            adapters.check(tmp_path)
    with pytest.raises(UserError, match="no adapter folder"):
        adapters.check(tmp_path / "missing")
