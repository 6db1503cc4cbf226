from __future__ import annotations

import hashlib
from pathlib import Path

import orjson
import pytest

from editbench import tiny
from editbench.errors import UserError
from editbench.foreign_paths import PipelinePaths
from editbench.paths import TinyPaths
from editbench.processors import load_processor


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> TinyPaths:
    return tiny.write(tmp_path_factory.mktemp("first") / "tiny")


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_two_writes_are_the_same_bytes_and_leave_the_callers_random_numbers_alone(written: TinyPaths, tmp_path: Path) -> None:
    import torch

    before = torch.get_rng_state()
    again = tiny.write(tmp_path / "again")
    assert torch.equal(torch.get_rng_state(), before)
    assert digests(again.root) == digests(written.root)
    assert list(tmp_path.iterdir()) == [again.root]


def test_writing_where_they_are_changes_nothing(written: TinyPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tiny, "_build")
    assert tiny.write(written.root) == written


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not a whole set of tiny checkpoints"):
        tiny.write(tmp_path)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(paths: TinyPaths) -> None:
        paths.editor.mkdir()
        raise OSError("no space left on device")

    monkeypatch.setattr(tiny, "_build", full)
    with pytest.raises(OSError, match="no space"):
        tiny.write(tmp_path / "tiny")
    assert not list(tmp_path.iterdir())


def test_the_editor_loads_as_a_published_pipeline_does(written: TinyPaths) -> None:
    from diffusers import QwenImageEditPlusPipeline
    from transformers import Qwen2VLProcessor

    paths = PipelinePaths(written.editor)
    processor = load_processor(paths.processor, Qwen2VLProcessor)
    pipeline = QwenImageEditPlusPipeline.from_pretrained(written.editor, processor=processor)
    assert orjson.loads(paths.index.read_bytes())["processor"] == ["transformers", "Qwen2VLProcessor"]
    assert pipeline.transformer.config.num_layers == 2


def test_the_tokenizer_splits_numbers_into_digits(written: TinyPaths) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(written.judge)
    assert tokenizer.tokenize("1024") == ["1", "0", "2", "4"]
    assert tokenizer.decode(tokenizer("雪が降る snow")["input_ids"]) == "雪が降る snow"
