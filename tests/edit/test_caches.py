"""The methods that leave out work, on the tiny editor with true CFG: two calls of its model a step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from editbench.edit import caches
from editbench.edit.editor import Request
from editbench.edit.index import Index
from editbench.errors import UserError

STEPS = 12


@pytest.fixture
def edited(tiny_editor: Any):
    """(how often each block of the model runs, pixels) of requests edited one after the other with `--cache TEXT`."""

    def edit(text: str, *requests: Request) -> tuple[list[int], list[np.ndarray]]:
        editor = tiny_editor(cache=text, steps=STEPS)
        blocks = editor._pipeline.transformer.transformer_blocks
        calls = [0] * len(blocks)
        for number, block in enumerate(blocks):
            block.attn.register_forward_pre_hook(lambda *_, number=number: calls.__setitem__(number, calls[number] + 1))
        pictures = [np.asarray(editor.edit(request, lambda *_: None).image).astype(int) for request in requests]
        return calls, pictures

    return edit


def decibels(left: np.ndarray, right: np.ndarray) -> float:
    return 10 * np.log10(255**2 / np.square(left - right).mean())


@pytest.mark.parametrize(("text", "first", "last"), [("first-block:0.5", 2 * STEPS, STEPS), ("taylorseer:3", STEPS, STEPS)])
def test_blocks_are_left_out_and_the_picture_changes_little(
    edited: Any, request_of: Any, text: str, first: int, last: int
) -> None:
    full, (plain,) = edited("none", request_of())
    fewer, (quick,) = edited(text, request_of())
    assert full == [2 * STEPS] * 2
    assert fewer[0] <= first
    assert 2 <= fewer[1] <= last
    assert 40 < decibels(plain, quick) < 80


@pytest.mark.parametrize("text", ["first-block:0.5", "taylorseer:3"])
def test_a_picture_does_not_depend_on_the_one_before(edited: Any, request_of: Any, text: str) -> None:
    _, (first, second) = edited(text, request_of(seed=1), request_of(seed=2))
    _, (alone,) = edited(text, request_of(seed=2))
    assert (second == alone).all()
    assert (first != second).any()


def test_nor_on_one_that_was_given_up_half_way(tiny_editor: Any, request_of: Any) -> None:
    def give_up(step: int, _steps: int) -> None:
        if step == STEPS // 2:
            raise ValueError("given up")

    editor = tiny_editor(cache="taylorseer:3", steps=STEPS)
    whole = editor.edit(request_of(), lambda *_: None).image.tobytes()
    with pytest.raises(ValueError, match="given up"):
        editor.edit(request_of(seed=2), give_up)
    assert editor.edit(request_of(), lambda *_: None).image.tobytes() == whole


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("none", "none"),
        ("first-block", "first-block:0.05"),
        ("first-block:0.10", "first-block:0.1"),
        ("taylorseer", "taylorseer:5"),
        ("taylorseer:4", "taylorseer:4"),
    ],
)
def test_the_identity_says_it_in_full(text: str, meant: str) -> None:
    assert caches.in_full(text) == caches.in_full(meant) == meant


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fast", "--cache fast is unknown"),
        ("none:1", "--cache none:1 is unknown"),
        ("magcache", "--cache magcache does not work here: it needs the magnitude ratios"),
        ("first-block:2", "first-block:2: .*, a number from 0 to 1"),
        ("first-block:nan", "a number from 0 to 1"),
        ("first-block:x", "a number from 0 to 1"),
        ("taylorseer:1.5", "a whole number from 2 to 20"),
    ],
)
def test_what_can_not_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        caches.in_full(text)


@pytest.mark.parametrize(
    ("pipeline", "model", "text", "reason"),
    [
        ("FluxKontextPipeline", "FluxTransformer2DModel", "taylorseer:5", "does not tell the calls of a step apart"),
        ("Flux2KleinPipeline", "Flux2Transformer2DModel", "first-block:0.1", "blocks of two kinds"),
        ("ZImageImg2ImgPipeline", "ZImageTransformer2DModel", "first-block:0.1", "has no caches"),
        ("StableDiffusionInstructPix2PixPipeline", None, "taylorseer:5", "has no caches"),
    ],
)
def test_a_pipeline_that_can_not_is_told_before_the_start(pipeline: str, model: str | None, text: str, reason: str) -> None:
    checkpoint = Index(Path(), pipeline, {"transformer": ("diffusers", model)} if model else {}, {})
    with pytest.raises(UserError, match=f"--cache {text} does not work with {pipeline}: .*{reason}"):
        caches.check(text, checkpoint)
    caches.check("none", checkpoint)


def test_a_pipeline_that_can_is_let_start() -> None:
    transformer = {"transformer": ("diffusers", "QwenImageTransformer2DModel")}
    for text in ("first-block:0.1", "taylorseer:5"):
        caches.check(text, Index(Path(), "QwenImageEditPlusPipeline", transformer, {}))
