from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from editbench.paths import TinyPaths
from editbench.score.criteria import Criterion
from editbench.score.judge import JudgeSettings, Question, Reply
from editbench.score.qwen3vl.judge import Qwen3VLJudge

READOUTS = pytest.mark.parametrize("readout", ["generate", "expected"])
JUDGES = pytest.mark.parametrize("name", ["judge", "judge_moe"])
TEXTS = ("Score the first thing.", "Score the second thing, which is long to say. " * 3, "分")


def load(folder: Path, readout: str) -> Qwen3VLJudge:
    settings = JudgeSettings(device="cpu", dtype="float32", readout=readout, max_new_tokens=6)
    return Qwen3VLJudge(folder, settings)


def samples(count: int) -> list[tuple[Image.Image, ...]]:
    values = np.random.default_rng(0)
    sizes = [(256 + 32 * number, 256) for number in range(count)]
    return [tuple(Image.fromarray(values.integers(0, 256, (*size, 3), np.uint8)) for _ in range(2)) for size in sizes]


def ask(
    pictures: Sequence[tuple[Image.Image, ...]], text: str, *, shared: bool = True, reused: tuple[int, ...] = ()
) -> list[Question]:
    criteria = (Criterion("score", 0, 10),)
    common = {"criteria": criteria, "shared": shared, "reused": reused}
    return [Question("key", shown, f"{index} {text}", "{", **common) for index, shown in enumerate(pictures)]


def answer(judge: Qwen3VLJudge, questions: Sequence[Question]) -> list[Reply]:
    return judge.answer(judge.prepare(questions))


def same(left: Sequence[Reply], right: Sequence[Reply]) -> bool:
    texts = [reply.text for reply in left] == [reply.text for reply in right]
    numbers = [[[*reply.distributions.get("score", ())] for reply in replies] for replies in (left, right)]
    return texts and all(np.allclose(*pair, rtol=0, atol=1e-5) for pair in zip(*numbers, strict=True))


@contextmanager
def counting(judge: Qwen3VLJudge) -> Iterator[dict[str, int]]:
    """Patches that the vision tower sees, and tokens that the language model reads."""
    seen = {"patches": 0, "tokens": 0}

    def looks(_module: Any, args: tuple[Any, ...], _kwargs: Any) -> None:
        seen["patches"] += len(args[0])

    def reads(_module: Any, _args: Any, kwargs: Any) -> None:
        seen["tokens"] += kwargs["inputs_embeds"].shape[:2].numel()

    model = judge._model.model
    hooks = [model.visual.register_forward_pre_hook(looks, with_kwargs=True)]
    hooks.append(model.language_model.register_forward_pre_hook(reads, with_kwargs=True))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@JUDGES
@READOUTS
def test_further_questions_about_the_same_pictures_get_the_same_replies(
    checkpoints: TinyPaths, name: str, readout: str
) -> None:
    sharing, plain = load(getattr(checkpoints, name), readout), load(getattr(checkpoints, name), readout)
    pictures = samples(3)
    for text in TEXTS:
        questions = ask(pictures, text, shared=text != TEXTS[-1])
        alone = [answer(plain, [replace(one, shared=False)])[0] for one in questions]
        assert same(answer(sharing, questions), alone)
    assert len(sharing._prefix_cache._prefixes) == 0


@READOUTS
def test_some_in_another_order_and_some_new_ones_share_a_batch(checkpoints: TinyPaths, readout: str) -> None:
    judge, plain = load(checkpoints.judge, readout), load(checkpoints.judge, readout)
    pictures = samples(5)
    answer(judge, ask(pictures[:2], TEXTS[0]))
    answer(judge, ask(pictures[2:4], TEXTS[0]))
    mixed = ask([pictures[index] for index in (3, 4, 0, 1)], TEXTS[1], shared=False)
    assert same(answer(judge, mixed), [answer(plain, [one])[0] for one in mixed])


def test_pictures_are_seen_once_and_their_tokens_read_once(checkpoints: TinyPaths) -> None:
    judge, pictures = load(checkpoints.judge, "expected"), samples(2)
    with counting(judge) as first:
        answer(judge, ask(pictures, TEXTS[0]))
    with counting(judge) as second:
        answer(judge, ask(pictures, TEXTS[1]))
    assert first["patches"] > 0
    assert second["patches"] == 0
    assert second["tokens"] < first["tokens"]


@pytest.mark.parametrize("reused", [(), (1,)])
def test_a_picture_that_a_later_question_shows_is_seen_once(checkpoints: TinyPaths, reused: tuple[int, ...]) -> None:
    judge, pictures = load(checkpoints.judge, "expected"), samples(2)
    answer(judge, ask(pictures, "Score it.", shared=False, reused=reused))
    with counting(judge) as later:
        answer(judge, ask([shown[1:] for shown in pictures], "Score it.", shared=False))
    assert (later["patches"] == 0) == bool(reused)


def test_pictures_are_resized_once_for_all_questions_about_them(checkpoints: TinyPaths) -> None:
    judge, pictures = load(checkpoints.judge, "expected"), samples(1)
    first, second = (judge.prepare(ask(pictures, text))[0].pixels for text in TEXTS[:2])
    assert [*map(id, first)] == [*map(id, second)]


def test_nothing_outlives_its_pictures(checkpoints: TinyPaths) -> None:
    judge, pictures = load(checkpoints.judge, "expected"), samples(2)
    for text in TEXTS:
        answer(judge, ask(pictures, text, reused=(0, 1)))
    cache = judge._prefix_cache
    assert (len(judge._pixels), len(cache._features), len(cache._prefixes)) == (4, 4, 2)
    del pictures
    gc.collect()
    assert (len(judge._pixels), len(cache._features), len(cache._prefixes)) == (0, 0, 0)


def test_what_is_kept_gives_way_to_a_batch_that_does_not_fit(
    checkpoints: TinyPaths, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    judge, pictures = load(checkpoints.judge, "expected"), samples(2)
    wanted = answer(judge, ask(pictures, TEXTS[1], shared=False))
    answer(judge, ask(pictures, TEXTS[0]))

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(judge._prefix_cache, "_prefill_suffixes", full)
    replies = answer(judge, ask(pictures, TEXTS[1]))
    assert same(replies, wanted)
    assert all(reply.short_of_memory for reply in replies)
    assert "nothing of the pictures was kept" in caplog.text
    assert not judge._prefix_cache.release()
    assert judge._prefix_cache.enabled
