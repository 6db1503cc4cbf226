"""Every pipeline class that is said to run does, and the table of classes says what the code does."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from editbench.edit import index, pipeline_class, pipelines
from editbench.edit.pipeline import PipelineEditor
from editbench.edit.settings import EditSettings
from editbench.edit.size import MULTIPLE
from editbench.errors import UserError

sys.path.insert(0, str(Path(__file__).parent))
import pipelines_table
import tiny_pipelines

SIZE = (96, 64)
SMALL: dict[str, tuple[str, ...]] = {
    "FluxKontextPipeline": ("_auto_resize=false",),
    "QwenImage21Pipeline": ("output_resolution=64",),
}
"""Arguments that keep pipelines from scaling their input to a megapixel."""
STEPS = 2
OWN_STEPS = {"QwenImage21Pipeline": 5}
"""A schedule of the checkpoint's own. By `strength`, 0.5 here, one of two steps is made; the others make those asked for."""
OWN_SIZE = {"JoyImageEditPipeline", "Kandinsky5I2IPipeline", "LongCatImageEditPipeline"}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipelines that always work on a megapixel do on 64 x 96."""
    for name in ("qwenimage.pipeline_qwenimage_edit", "longcat_image.pipeline_longcat_image_edit"):
        module = importlib.import_module(f"diffusers.pipelines.{name}")
        count = len(module.calculate_dimensions(1024, 1.0))
        monkeypatch.setattr(module, "calculate_dimensions", partial(lambda count, *_: (*SIZE, None)[:count], count))
    joy = importlib.import_module("diffusers.pipelines.joyimage.image_processor")
    monkeypatch.setattr(joy.JoyImageEditImageProcessor, "get_default_height_width", lambda *_: SIZE[::-1])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("pipelines")

    def write(name: str) -> Path:
        if not (root / name).exists():
            tiny_pipelines.write(name, root / name)
        return root / name

    return write


def load(folder: Path, arguments: tuple[str, ...]) -> PipelineEditor:
    name = folder.name
    dtype = "bfloat16" if name in pipelines.BFLOAT16 else "float32"
    editor = PipelineEditor(str(folder), "cpu", EditSettings(steps=STEPS, dtype=dtype, arguments=arguments))
    editor._pipeline.resolutions = [SIZE]  # Kandinsky's
    editor._pipeline.default_sample_size = 8
    return editor


@pytest.mark.parametrize("name", tiny_pipelines.MAKERS)
@pytest.mark.usefixtures("small")
def test_a_pipeline_edits_a_picture(name: str, checkpoint: Any, request_of: Any) -> None:
    folder = checkpoint(name)
    assert index.load(folder).check().name == name
    by_strength = ("strength=0.5",) if "strength" in pipeline_class.read(name).call else ()
    editor, told = load(folder, SMALL.get(name, by_strength)), []
    picture = request_of().images[0].resize(SIZE)
    made = editor.edit(request_of(size=SIZE, images=[picture]), lambda *step: told.append(step))
    assert (made.image.mode, made.image.size) == ("RGB", SIZE)
    assert told[-1][0] == told[-1][1] == len(told)
    assert made.steps == OWN_STEPS.get(name, 1 if "strength" in pipeline_class.read(name).call else STEPS)
    sized = "height" in pipeline_class.read(name).call and name not in OWN_SIZE
    assert pipelines.MULTIPLES.get(name, MULTIPLE) % (2 * getattr(editor._pipeline, "vae_scale_factor", 8)) == 0
    if name in pipelines.SEVERAL:
        second = editor.edit(request_of(size=SIZE, images=[picture, picture.rotate(180)]), lambda *_: None)
        assert second.image.tobytes() != made.image.tobytes()
    again = editor.edit(request_of(size=SIZE, images=[picture]), lambda *_: None)
    assert again.image.tobytes() == made.image.tobytes()
    assert editor.ignored == ([] if sized else ["size"])


@pytest.mark.parametrize("name", tiny_pipelines.MAKERS)
def test_a_class_is_read_as_it_is_imported(name: str) -> None:
    import diffusers

    kind, imported = pipeline_class.read(name), getattr(diffusers, name)
    for read, method in ((kind.call, imported.__call__), (kind.init, imported.__init__)):
        parameters = [each for each in inspect.signature(method).parameters.values() if each.kind != each.VAR_KEYWORD][1:]
        assert [*read] == [each.name for each in parameters]
        assert [value is pipeline_class.REQUIRED for value in read.values()] == [
            each.default is each.empty for each in parameters
        ]
    assert kind.optional == {*imported._optional_components}


def test_the_table_of_classes_is_that_of_the_code() -> None:
    assert pipelines_table.PATH.read_text("utf-8") == pipelines_table.table(), "make pipelines"
    known = {kind.name: pipelines.refusal(kind) for kind in pipelines_table.kinds()}
    tables = {*pipelines.SEVERAL, *pipelines.LAST_FRAME, *pipelines.OWN_SIZES, *pipelines.BFLOAT16, *pipelines.PACKAGES}
    assert {name for name in {*tiny_pipelines.MAKERS, *tables} if known[name]} == set()
    assert {*pipelines._OTHER_PURPOSE} <= {name for name, reason in known.items() if reason}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("WanImageToVideoPipeline", "makes a video"),
        ("FluxFillPipeline", "needs a mask"),
        ("StableDiffusionControlNetPipeline", "takes its picture as a control signal"),
        ("FluxPipeline", "takes no image"),
        ("StableVideoDiffusionPipeline", "takes no prompt"),
        ("KandinskyImg2ImgPipeline", "needs image_embeds"),
        ("OnnxStableDiffusionImg2ImgPipeline", "runs on ONNX"),
        ("FluxPriorReduxPipeline", "makes embeddings"),
    ],
)
def test_a_class_that_edits_no_pictures_is_refused(name: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(f'{{"_class_name": "{name}"}}')
    with pytest.raises(UserError, match=f"is a {name}, which {reason}"):
        index.load(tmp_path).check()


def test_a_component_that_the_class_needs_is_missed_before_the_start(tmp_path: Path) -> None:
    parts = '"vae": ["diffusers", "A"], "tokenizer": [null, null], "scheduler": ["diffusers", "B"]'
    (tmp_path / "model_index.json").write_text(f'{{"_class_name": "FluxKontextPipeline", {parts}}}')
    needed = "text_encoder, text_encoder_2, tokenizer, tokenizer_2, transformer, which a FluxKontextPipeline needs"
    with pytest.raises(UserError, match=f"has no {needed}"):
        index.load(tmp_path).check()


def test_a_class_that_diffusers_does_not_have_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "NewPipeline"}')
    with pytest.raises(UserError, match="has no pipeline NewPipeline"):
        index.load(tmp_path).check()


def test_a_class_whose_code_comes_along_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": ["pipeline", "Mine"]}')
    with pytest.raises(UserError, match="comes with the checkpoint, and is not run"):
        index.load(tmp_path)


def test_a_package_that_a_class_needs_is_missed_before_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "OmniGenPipeline"}')
    monkeypatch.setattr(index, "find_spec", lambda _name: None)
    with pytest.raises(UserError, match="OmniGenPipeline needs the package torchvision"):
        index.load(tmp_path).check()


def test_prompts_are_as_the_class_wants_them() -> None:
    assert pipelines.prompt("QwenImageEditPipeline", "add a hat", 2) == "add a hat"
    assert pipelines.prompt("OmniGenPipeline", "add a hat", 2) == "<img><|image_1|></img><img><|image_2|></img> add a hat"
    assert pipelines.prompt("BriaFiboEditPipeline", 'add "a hat"', 1) == r'{"edit_instruction":"add \"a hat\""}'
