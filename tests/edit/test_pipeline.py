"""The tiny editor, which sees its inputs at 64 x 64 so that a picture takes a moment, and pipelines of other shapes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from editbench.edit import editors, pipeline
from editbench.edit.editor import Request
from editbench.edit.pipeline import PipelineEditor
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.models import Kind, Model
from editbench.paths import TinyPaths

STEPS = 2


@pytest.fixture
def load(checkpoints: TinyPaths, monkeypatch: pytest.MonkeyPatch) -> Callable[..., PipelineEditor]:
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus  # takes four seconds

    for name in ("CONDITION_IMAGE_SIZE", "VAE_IMAGE_SIZE"):
        monkeypatch.setattr(pipeline_qwenimage_edit_plus, name, 64 * 64)

    def make(cfg: float = 4.0, negative_prompt: str | None = " ") -> PipelineEditor:
        settings = EditSettings(steps=STEPS, cfg=cfg, negative_prompt=negative_prompt, dtype="float32")
        return editors.load(Model(Kind.FOLDER, "tiny", str(checkpoints.editor), {}), "cpu", settings)

    return make


def none(_step: int, _steps: int) -> None:
    pass


def forwards(asked: PipelineEditor, request: Request) -> tuple[int, bytes]:
    """How often the denoising model runs for a picture, and the picture."""
    calls: list[None] = []
    hook = asked._pipeline.transformer.register_forward_pre_hook(lambda *_: calls.append(None))
    made = asked.edit(request, none).image.tobytes()
    hook.remove()
    return len(calls), made


def test_true_cfg_runs_the_model_twice_a_step_and_changes_the_picture(load: Any, request_of: Any) -> None:
    with_cfg, guided = forwards(load(cfg=4.0), request_of())
    without, plain = forwards(load(cfg=1.0), request_of())
    assert (with_cfg, without) == (2 * STEPS, STEPS)
    assert guided != plain


def test_equal_requests_give_equal_pixels_and_another_seed_others(load: Any, request_of: Any) -> None:
    asked = load()
    first, other, again = (asked.edit(request_of(seed=seed), none).image.tobytes() for seed in (1, 2, 1))
    assert first == again
    assert first != other


def test_steps_are_counted_to_the_last(load: Any, request_of: Any) -> None:
    told: list[tuple[int, int]] = []
    load().edit(request_of(), lambda step, steps: told.append((step, steps)))
    assert told == [(1, STEPS), (2, STEPS)]


@pytest.mark.parametrize("size", [(64, 48), (48, 80)])
def test_the_picture_has_the_size_that_was_asked_for(load: Any, request_of: Any, size: tuple[int, int]) -> None:
    made = load(cfg=1.0).edit(request_of(size=size), none).image
    assert (made.mode, made.size) == ("RGB", size)


def test_a_second_input_is_seen(load: Any, request_of: Any) -> None:
    asked = load(cfg=1.0)
    assert asked.edit(request_of(1), none).image.tobytes() != asked.edit(request_of(2), none).image.tobytes()
    assert asked.ignored == []


class Result:
    def __init__(self, image: Image.Image) -> None:
        self.images = [image]


class Bare:
    """As a pipeline without negative prompt, size or callback."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}

    def set_progress_bar_config(self, disable: bool) -> None:
        pass

    def __call__(self, image=None, prompt=None, guidance_scale=7.5, num_inference_steps=50, generator=None):
        given = {"guidance_scale": guidance_scale, "num_inference_steps": num_inference_steps}
        self.given = {**given, "image": image, "prompt": prompt, "seed": generator.initial_seed()}
        return Result(Image.new("RGBA", (8, 8)))


class Distilled(Bare):
    """As FLUX Kontext: true CFG beside the guidance that is distilled into the model."""

    def __call__(self, image=None, prompt=None, negative_prompt=None, true_cfg_scale=1.0, guidance_scale=3.5, generator=None):
        self.given = {"true_cfg_scale": true_cfg_scale, "guidance_scale": guidance_scale}
        return Result(Image.new("RGB", (8, 8)))


class TextOnly(Bare):
    def __call__(self, prompt=None, height=None, width=None):
        return Result(Image.new("RGB", (8, 8)))


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch):
    """A PipelineEditor of another pipeline than the tiny one."""

    def make(kind: type[Bare], **settings: Any) -> tuple[PipelineEditor, Bare]:
        fake = kind()
        monkeypatch.setattr(pipeline, "_load", lambda *_: fake)
        return PipelineEditor("folder", "cpu", EditSettings(**settings)), fake

    return make


def test_settings_that_a_pipeline_does_not_know_are_left_out_and_named(other: Any, request_of: Any) -> None:
    asked, fake = other(Bare, steps=3, cfg=2.0, negative_prompt="blurry")
    request = request_of(seed=5)
    assert asked.edit(request, none).image.mode == "RGB"
    assert asked.ignored == ["negative_prompt", "size"]
    assert fake.given == {
        "guidance_scale": 2.0,
        "num_inference_steps": 3,
        "image": request.images[0],
        "prompt": "make it snow",
        "seed": 5,
    }


class Forgetful(Bare):
    """As JoyImageEditPipeline, whose noise does not all come from the generator that it is given."""

    def __call__(self, image=None, prompt=None, generator=None):
        return Result(Image.new("L", (8, 8), int(torch.randint(256, ()))))


def test_noise_from_torchs_own_generator_is_that_of_the_seed(other: Any, request_of: Any) -> None:
    asked, _ = other(Forgetful)
    first, second, again = (asked.edit(request_of(seed=seed), none).image.getpixel((0, 0)) for seed in (1, 2, 1))
    assert first == again != second


def test_what_is_not_set_is_left_to_the_pipeline(other: Any, request_of: Any) -> None:
    asked, fake = other(Bare)
    asked.edit(request_of(), none)
    assert asked.ignored == ["size"]
    assert (fake.given["guidance_scale"], fake.given["num_inference_steps"]) == (7.5, 50)


def test_guidance_is_the_distilled_one_unless_there_is_a_negative_prompt(other: Any, request_of: Any) -> None:
    asked, fake = other(Distilled, cfg=2.0)
    asked.edit(request_of(), none)
    assert fake.given == {"true_cfg_scale": 1.0, "guidance_scale": 2.0}
    asked, fake = other(Distilled, cfg=2.0, negative_prompt="blurry")
    asked.edit(request_of(), none)
    assert fake.given == {"true_cfg_scale": 2.0, "guidance_scale": 3.5}


def test_a_pipeline_that_takes_no_picture_is_refused(other: Any) -> None:
    with pytest.raises(UserError, match="TextOnly takes no image: not an edit pipeline"):
        other(TextOnly)


class Floats(Bare):
    """A picture of floats, as `output_type="np"` asks for."""

    pixels = np.linspace(0, 1, 8 * 8 * 3, dtype=np.float32).reshape(1, 8, 8, 3)

    def __call__(self, image=None, prompt=None, generator=None, output_type="pil"):
        assert output_type == "np"
        return Result(self.pixels[0])


class Broken(Floats):
    pixels = np.where(Floats.pixels > 0.5, np.nan, Floats.pixels)


class Infinite(Floats):
    pixels = np.where(Floats.pixels > 0.5, np.inf, Floats.pixels)


def test_the_bytes_are_those_that_the_pipeline_itself_would_give(load: Any, request_of: Any, monkeypatch: Any) -> None:
    asked = load(cfg=1.0)
    made = asked.edit(request_of(), none)
    call, kinds = type(asked._pipeline).__call__, []

    @functools.wraps(call)  # keeps the signature
    def as_pil(self: Any, *args: Any, output_type: str, **more: Any) -> Any:
        result = call(self, *args, output_type="pil", **more)
        kinds.append((output_type, type(result.images[0])))
        return result

    monkeypatch.setattr(type(asked._pipeline), "__call__", as_pil)
    assert asked.edit(request_of(), none).image.tobytes() == made.image.tobytes()
    assert kinds == [("pt", Image.Image)]
    assert made.finite


@pytest.mark.parametrize(("kind", "finite", "last"), [(Floats, True, 255), (Broken, False, 0), (Infinite, False, 255)])
def test_a_value_that_is_no_finite_number_is_told_and_its_pixel_settled(
    other: Any, request_of: Any, kind: type[Bare], finite: bool, last: int
) -> None:
    made = other(kind)[0].edit(request_of(), none)
    assert made.finite == finite
    assert made.image.getpixel((7, 7))[2] == last
    assert made.image.getpixel((0, 0)) == (0, 1, 3)


def test_a_pipeline_that_knows_only_pictures_is_taken_to_be_finite(other: Any, request_of: Any) -> None:
    assert other(Bare)[0].edit(request_of(), none).finite
