from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForImageTextToText, DynamicCache

from editbench.paths import TinyPaths
from editbench.score.in_process.decoding import LOOK_EVERY, StopTokens, TokenChooser, generate
from editbench.score.qwen3vl import decode_cache
from editbench.score.qwen3vl.decode_cache import DecodeCache
from editbench.score.qwen3vl.prefix_cache import PrefixCache
from editbench.score.readout import ScoreTokens

from .stand_in_device import DEVICE, Count, counting
from .test_judge import MIXED, load

ROWS, COLUMNS = 3, 20
DIGITS = ScoreTokens(tuple(range(48, 58)))


def replies(folder: Path, temperature: float = 0.0, **settings: bool) -> list[tuple[str, list[float]]]:
    judge = load(folder, "generate", max_new_tokens=20, temperature=temperature, **settings)
    asked = [replace(one, answer_prefix="", shared=True) for one in MIXED]
    answered = judge.answer(judge.prepare(asked), [1, 2, 3] if temperature else None)
    answered += judge.answer(judge.prepare(asked[1:2]), [2] if temperature else None)  # nothing is padded
    return [(reply.text, [*reply.distributions.get("score", ())]) for reply in answered]


@pytest.mark.parametrize("name", ["judge", "judge_moe"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_accelerator_decodes_what_a_cpu_does(
    checkpoints: TinyPaths, monkeypatch: pytest.MonkeyPatch, name: str, temperature: float
) -> None:
    wanted = replies(getattr(checkpoints, name), temperature)
    monkeypatch.setattr(decode_cache, "HOSTS", ())
    monkeypatch.setattr(decode_cache, "BLOCK", 8)  # so that the buffers grow
    assert replies(getattr(checkpoints, name), temperature) == [(text, pytest.approx(one, abs=1e-6)) for text, one in wanted]


def on_stand_in(folder: Path, layers: int) -> tuple[PrefixCache, DecodeCache]:
    config = AutoConfig.from_pretrained(folder)
    text = config.text_config
    text.num_hidden_layers = layers
    with DEVICE:
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa").eval()
        states = torch.zeros(ROWS, text.num_key_value_heads, COLUMNS, text.head_dim, dtype=torch.bfloat16)
    cache = DynamicCache()
    for layer in range(layers):
        cache.update(states, states, layer)
    mask = torch.arange(COLUMNS) >= torch.tensor([[0], [3], [7]])
    return PrefixCache(model, 0, lambda _: torch.empty(0)), DecodeCache(cache, mask, torch.zeros(ROWS, dtype=torch.long))


def decoded(folder: Path, layers: int, steps: int, seeds: tuple[int, ...] = ()) -> Count:
    prefix_cache, cache = on_stand_in(folder, layers)
    logits = torch.zeros(ROWS, 512, dtype=torch.bfloat16, device=DEVICE)

    def decode_step(token_ids: torch.Tensor) -> torch.Tensor:
        cache.advance()
        return prefix_cache.decode_step(cache, token_ids)

    chooser = TokenChooser(DIGITS, float(bool(seeds)), seeds)
    with counting() as count:
        generate(logits, chooser, decode_step, StopTokens((1, 2), 0), steps, look_every=LOOK_EVERY)
    return count


def launches(folder: Path, layers: int, steps: int) -> int:
    return decoded(folder, layers, steps).launches.total()


@pytest.mark.parametrize(("name", "a_layer", "others"), [("judge", 56, 36), ("judge_moe", 74, 36)])
def test_a_step_launches_no_more_than_it_did(checkpoints: TinyPaths, name: str, a_layer: int, others: int) -> None:
    """Measured: at the sizes of 8B that makes 2,052, of 30B-A3B 3,588, or 3,204 where `batched_mm` is taken."""
    folder = getattr(checkpoints, name)
    steps = {layers: launches(folder, layers, 4) - launches(folder, layers, 3) for layers in (1, 2)}
    assert steps[2] - steps[1] <= a_layer
    assert 2 * steps[1] - steps[2] <= others


@pytest.mark.parametrize("seeds", [(), (1, 2, 3)])
def test_within_a_step_nothing_is_waited_for(checkpoints: TinyPaths, seeds: tuple[int, ...]) -> None:
    few, more = decoded(checkpoints.judge_moe, 1, 9, seeds), decoded(checkpoints.judge_moe, 1, 8 + LOOK_EVERY, seeds)
    assert more.syncs.total() - few.syncs.total() == 0
    assert more.uploads == few.uploads
    assert few.syncs.total() == 2  # once after LOOK_EVERY steps, and once for the length of the replies
