"""What `--lora` names, without a hub: see tests/test_hub.py for one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import orjson
import pytest
from safetensors.numpy import save_file

from editbench.edit import lora
from editbench.errors import UserError
from editbench.foreign_paths import CheckpointPaths, LoraPaths
from editbench.models import Kind, Model


def weights(path: Path, name: str = "transformer.a.lora_A.weight") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.zeros((2, 2), np.float32)}, path)
    return path


@pytest.mark.parametrize(
    ("text", "file", "scale"),
    [
        ("{}/one", "style.safetensors", 1.0),
        ("{}/one@0.5", "style.safetensors", 0.5),
        ("{}/one@-1", "style.safetensors", -1.0),
        ("{}/one/style.safetensors@.25", "style.safetensors", 0.25),
        ("{}/usual", "pytorch_lora_weights.safetensors", 1.0),
        ("{}/usual:other.safetensors@2", "other.safetensors", 2.0),
        ("{}/at@2", "style.safetensors", 1.0),
    ],
)
def test_a_lora_is_a_folder_or_a_file_with_a_scale(tmp_path: Path, text: str, file: str, scale: float) -> None:
    weights(tmp_path / "one" / "style.safetensors")
    weights(tmp_path / "at@2" / "style.safetensors")
    weights(LoraPaths(tmp_path / "usual").weights)
    weights(tmp_path / "usual" / "other.safetensors")
    resolved = lora.resolve(text.format(tmp_path))
    assert (resolved.file, resolved.scale, resolved.path.is_file()) == (file, scale, True)


def test_a_link_has_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "style.safetensors").symlink_to(weights(tmp_path / "blobs" / "0123"))
    assert lora.resolve(str(tmp_path / "style.safetensors")).name.startswith("style@")


def test_what_is_no_lora_is_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        weights(tmp_path / "two" / f"{name}.safetensors")
    (tmp_path / "none").mkdir()
    for text, told in {
        "two": r"has 2 files: a\.safetensors, b\.safetensors",
        "none": r"has no \*\.safetensors",
        "two:c": r"two has no c",
        "nowhere": r"no such file or folder",
        "two:../two/a.safetensors": r"is not a path within",
        f"two:{tmp_path}/two/a.safetensors": r"is not a path within",
    }.items():
        with pytest.raises(UserError, match=told):
            lora.resolve(str(tmp_path / text))


@pytest.mark.parametrize(("text", "told"), [("", "--lora is empty"), ("../lora", "--lora ../lora: no such file or folder")])
def test_what_names_no_lora_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=told):
        lora.resolve(text)


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    resolved = lora.resolve(str(weights(tmp_path / "x.safetensors", "a.weight")))
    with pytest.raises(UserError, match="holds no LoRA"):
        lora.check(resolved, "QwenImageEditPlusPipeline")
    (tmp_path / "x.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(UserError, match="can't be read"):
        lora.check(resolved, "QwenImageEditPlusPipeline")


def test_a_pipeline_without_loras_is_told(tmp_path: Path) -> None:
    resolved = lora.resolve(str(weights(tmp_path / "x.safetensors")))
    with pytest.raises(UserError, match="DiTPipeline takes no LoRA"):
        lora.check(resolved, "DiTPipeline")


def test_the_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = lora.resolve(str(weights(tmp_path / "x.safetensors")))
    monkeypatch.setattr(lora.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="--lora needs the package peft"):
        lora.check(resolved, "QwenImageEditPlusPipeline")


def test_names_of_other_programs_are_left_to_diffusers(tmp_path: Path) -> None:
    weights(tmp_path / "model" / "transformer" / "x.safetensors", "layers.0.to_q.weight")
    resolved = lora.resolve(str(weights(tmp_path / "x.safetensors", "lora_unet_layers_0_to_q.lora_down.weight")))
    lora.check_fit(resolved, tmp_path / "model")


@pytest.mark.parametrize(
    ("config", "base"), [({"base_model_name_or_path": "org/base"}, "org/base"), ({}, "BASE"), (None, "BASE")]
)
def test_a_lora_given_as_the_model_says_how_to_use_it(tmp_path: Path, config: dict[str, str] | None, base: str) -> None:
    weights(tmp_path / "x.safetensors")
    if config is not None:
        CheckpointPaths(tmp_path).adapter_config.write_bytes(orjson.dumps(config))
    told = lora.advice(Model(Kind.FOLDER, "x", str(tmp_path), {}))
    assert told is not None
    assert (str(told), told.remedy) == (
        f"{tmp_path} is a LoRA, not a model",
        f"Put it on its base model: --model {base} --lora {tmp_path}",
    )


def test_other_folders_are_no_loras(tmp_path: Path) -> None:
    weights(tmp_path / "x.safetensors", "a.weight")
    assert lora.advice(Model(Kind.FOLDER, "x", str(tmp_path), {})) is None
    CheckpointPaths(weights(tmp_path / "judge" / "x.safetensors").parent).config.write_text("{}")
    assert lora.advice(Model(Kind.FOLDER, "x", str(tmp_path / "judge"), {})) is None


def test_broken_weights_of_the_model_are_not_blamed_on_the_lora(tmp_path: Path) -> None:
    resolved = lora.resolve(str(weights(tmp_path / "style.safetensors")))
    weights(tmp_path / "model" / "transformer" / "model.safetensors").write_bytes(b"{")
    with pytest.raises(UserError, match=r"transformer/model\.safetensors can't be read") as caught:
        lora.check_fit(resolved, tmp_path / "model")
    assert caught.value.remedy == "Download the model again."


def test_a_lora_that_is_not_here_yet_is_measured_by_its_file_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    siblings = [SimpleNamespace(rfilename=name, size=size) for name, size in {"a.safetensors": 800, "b.safetensors": 2}.items()]
    api = SimpleNamespace(model_info=lambda *arguments, **options: SimpleNamespace(siblings=siblings))
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
    assert lora.Lora(Model(Kind.HUB, "a/b", "a/b", {"revision": "0" * 40}), "a.safetensors", 1.0).weights == 400
