"""What is remembered of prompts and pictures."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from editbench.edit import conditioning

RED, BLUE = (Image.new("RGB", (4, 4), colour) for colour in ("red", "blue"))


class Pipeline:
    def __init__(self) -> None:
        self.asked: list[Any] = []

    def encode_prompt(self, prompt: str, image: Any = None, **more: Any) -> torch.Tensor:
        self.asked.append(prompt)
        return torch.full((1, 2), float(len(self.asked)))

    def __call__(self, prompt: str | None = None, prompt_embeds: torch.Tensor | None = None) -> None: ...


class TextOnly(Pipeline):
    def __call__(self, prompt: str | None = None) -> None: ...


@pytest.fixture
def pipeline() -> Pipeline:
    made = Pipeline()
    conditioning.remember(made)
    return made


def test_the_same_prompt_with_the_same_pictures_is_encoded_once(pipeline: Pipeline) -> None:
    first = pipeline.encode_prompt("a", image=[RED, BLUE], device=torch.device("cpu"))
    assert pipeline.encode_prompt("a", image=[RED.copy(), BLUE.copy()], device=torch.device("cpu")) is first
    assert pipeline.asked == ["a"]


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "b", "image": [RED]},
        {"prompt": "a", "image": [BLUE]},
        {"prompt": "a", "image": [RED, RED]},
        {"prompt": "a", "image": RED},
        {"prompt": "a", "image": [RED.resize((2, 8))]},
        {"prompt": "a", "image": [RED], "max_sequence_length": 8},
        {"prompt": ["a"], "image": [RED]},
    ],
)
def test_whatever_differs_is_encoded_again(pipeline: Pipeline, other: dict[str, Any]) -> None:
    pipeline.encode_prompt(prompt="a", image=[RED])
    pipeline.encode_prompt(**other)
    assert len(pipeline.asked) == 2


def test_what_may_change_unnoticed_is_never_remembered(pipeline: Pipeline) -> None:
    for _ in range(2):
        pipeline.encode_prompt("a", image=torch.zeros(1))
    assert len(pipeline.asked) == 2


def test_the_oldest_is_forgotten(pipeline: Pipeline) -> None:
    for number in range(conditioning.KEPT + 1):
        pipeline.encode_prompt(str(number))
        pipeline.encode_prompt("0" if number < conditioning.KEPT else "1")
    pipeline.encode_prompt("1")
    assert pipeline.asked.count("0") == 1
    assert pipeline.asked.count("1") == 2


@pytest.mark.parametrize("kind", [TextOnly, SimpleNamespace])
def test_a_pipeline_that_takes_no_embeddings_is_left_alone(kind: type) -> None:
    made = kind()
    before = getattr(made, "encode_prompt", None)
    conditioning.remember(made)
    assert getattr(made, "encode_prompt", None) == before


def test_samples_of_one_picture_share_the_negative_prompt_and_their_pixels_stay(tiny_editor: Any, request_of: Any) -> None:
    requests = [replace(request_of(), instruction=text) for text in ("make it snow", "make it rain", "make it snow")]
    alone = [tiny_editor().edit(request, lambda *_: None).image.tobytes() for request in requests]
    editor, calls = tiny_editor(), []
    editor._pipeline.text_encoder.register_forward_pre_hook(lambda *_: calls.append(None))
    assert [editor.edit(request, lambda *_: None).image.tobytes() for request in requests] == alone
    assert len(calls) == 3
