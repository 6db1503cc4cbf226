from __future__ import annotations

from pathlib import Path

import pytest

from editbench.edit import preparation
from editbench.edit.index import Index
from editbench.errors import UserError
from editbench.paths import TinyPaths


def of(folder: Path, kind: str, library: str = "transformers", name: str = "processor") -> Index:
    return Index(folder, "SomePipeline", {name: (library, kind)}, {})


@pytest.mark.parametrize("name", ["processor", "text_processor", "tokenizer"])
def test_a_processor_is_made_without_its_video_processor_whatever_its_key(
    checkpoints: TinyPaths, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).symlink_to(checkpoints.editor / "processor")
    made = preparation.components(of(tmp_path, "Qwen2VLProcessor", name=name))[name]
    assert type(made).__name__ == "Qwen2VLProcessor"
    assert (made.video_processor, type(made.image_processor).__name__) == (None, "Qwen2VLImageProcessorPil")


@pytest.mark.parametrize("kind", ["CLIPImageProcessor", "CLIPImageProcessorFast"])
def test_pictures_are_prepared_with_pillow(tmp_path: Path, kind: str) -> None:
    from transformers import CLIPImageProcessorPil

    CLIPImageProcessorPil(size=32).save_pretrained(tmp_path / "processor")
    assert type(preparation.components(of(tmp_path, kind))["processor"]) is CLIPImageProcessorPil


@pytest.mark.parametrize(("library", "kind"), [("diffusers", "VaeImageProcessor"), ("transformers", "Qwen2Tokenizer")])
def test_other_components_are_left_to_the_library(tmp_path: Path, library: str, kind: str) -> None:
    assert preparation.components(of(tmp_path, kind, library)) == {}


@pytest.mark.parametrize("kind", ["Qwen2VLProcessor", "CLIPImageProcessor", "NoSuchProcessor", "PixtralProcessor"])
def test_what_can_not_be_made_is_told(tmp_path: Path, kind: str) -> None:
    (tmp_path / "processor").mkdir()
    with pytest.raises(UserError, match=f"transformers can't make the {kind} of .*processor"):
        preparation.components(of(tmp_path, kind))
