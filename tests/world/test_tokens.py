"""The tiny judge's tokens are those that a reader of scores and of the benchmark needs."""

from __future__ import annotations

import pytest
from PIL import Image

pytest.importorskip("transformers")
from editbench.score.readout import ScoreTokens
from editbench.world import task
from editbench.world.benchmark import LANGUAGES, samples
from editbench.world.chance import Chance, Pool
from editbench.world.families import NAMES
from editbench.world.training.tokens import tokenizer

BEFORE = {"en": "after: ", "zh": "编辑："}


def test_digits_are_tokens_of_their_own() -> None:
    assert ScoreTokens.of(tokenizer()) is not None


def test_the_benchmarks_sentences_are_new_but_all_their_words_are_known() -> None:
    words = tokenizer()
    blank = [Image.new("RGB", (300, 300))] * 2
    learning = Pool([blank[0], blank[1].copy()], held_out=False)
    known: set[int] = set()
    for family in NAMES:
        for number in range(60):
            ask = Chance(learning, f"ask {family} {number}")
            made = task.make(family, Chance(learning, f"{family} {number}"), ask)
            known |= {token for to in LANGUAGES for token in words(f"{BEFORE[to]}{made.sentence(to, ask)}\n")["input_ids"]}
    for sample in samples():
        asked = words(f"{BEFORE[sample.language]}{sample.instruction}\n")["input_ids"]
        assert not {*asked} - known, sample.instruction
