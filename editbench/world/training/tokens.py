"""The tiny judge's tokens: Qwen's tokenizer class with a BPE of its own, learned from the prompts, and prompts as arrays.

Every English word of the prompts is a token and every Chinese character of the instructions; digits stay single, as in Qwen's.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from editbench.records import EXPECTED, GENERATE, READOUTS, Sample
from editbench.score import rubric
from editbench.score.in_process.chat_template import ChatTemplate
from editbench.score.rubric.prompts import Ask
from editbench.tiny import SPECIAL
from editbench.world import referents
from editbench.world.benchmark import LANGUAGES
from editbench.world.chance import wordings
from editbench.world.colours import ZH
from editbench.world.training.lessons import Pair
from editbench.world.truth import REASONS, TRUTH, Outcome

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, ProcessorMixin

LARGEST = 4096
"""Tokens at most; there are fewer different words."""
IGNORED = -100
"""Label of a token that nothing is learned from."""
TRUNK, PADDING = 0, 9
"""Branch numbers of what all readouts share, and of nothing."""
_CJK = re.compile("([\u3400-\u9fff])")


def tokenizer() -> PreTrainedTokenizerBase:
    return learned(_texts())


def learned(texts: Iterable[str]) -> PreTrainedTokenizerBase:
    """Qwen's tokenizer, with every word of `texts` as a token."""
    from tokenizers import Tokenizer, models, trainers
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    alphabet = sorted(ByteLevel.alphabet())
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = Qwen2Tokenizer(
        vocab={byte: number for number, byte in enumerate(alphabet)}, merges=[]
    ).backend_tokenizer.pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=LARGEST, min_frequency=1, initial_alphabet=alphabet, show_progress=False)
    learner.train_from_iterator(texts, trainer)
    model = json.loads(learner.to_str())["model"]
    merges = [tuple(merge) for merge in model["merges"]]
    made = Qwen2Tokenizer(vocab=model["vocab"], merges=merges, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    made.add_tokens(list(SPECIAL), special_tokens=True)
    return made


def _texts() -> Iterator[str]:
    """All that a prompt may hold, no sentence of the benchmark among it."""
    yield from instructions()
    for language, readout in itertools.product(LANGUAGES, READOUTS):
        yield ask_of("", language, readout).text
        yield from (reply(outcome, language, readout) for outcome in Outcome)
    yield "user\nassistant\n"


def instructions() -> Iterator[str]:
    """All that an instruction may hold; Chinese character by character."""
    for table in wordings().values():
        for text in table["en"]:
            yield from (f" {text}", text[:1].upper() + text[1:])
        yield from itertools.chain.from_iterable(map(_CJK.split, table["zh"]))
    for phrase in referents.everything("en"):
        yield f" {phrase} {phrase.capitalize()}"
    for phrase in referents.everything("zh"):
        yield from phrase
    for name, chinese in ZH.items():
        yield from (f" {name}", *chinese)


def ask_of(instruction: str, language: str, readout: str) -> Ask:
    """What the rubric `world` asks; the same of all categories."""
    sample = Sample(key="lesson", id="lesson", instruction=instruction, category="referential", language=language)
    return _rubric().asks(sample, None, readout)[0]


@lru_cache(maxsize=1)
def _rubric() -> rubric.Rubric:
    return rubric.load("world")


def reply(outcome: Outcome, language: str, readout: str) -> str:
    """What the judge is to say behind the answer's prefix."""
    if readout == EXPECTED:
        return f"{TRUTH[outcome]}}}"
    answer = {"reason": REASONS[language][outcome], "score": TRUTH[outcome]}
    return f"{json.dumps(answer, ensure_ascii=False)}<|im_end|>"


class Row(NamedTuple):
    """One prompt as the judge would be sent it in either readout. `trunk`: the tokens that all readouts begin with; `branches`:
    by readout, how each goes on, and its answer."""

    trunk: list[int]
    branches: list[tuple[list[int], list[int]]]

    def __len__(self) -> int:
        return len(self.trunk) + sum(len(asked) + len(answer) for asked, answer in self.branches)


class Prompts:
    """Makes rows with the project's own prompts and chat template. `picture`: tokens of a picture."""

    def __init__(self, processor: ProcessorMixin, picture: int) -> None:
        self._tokenizer, self._image = processor.tokenizer, processor.image_token
        self._chat, self._picture = ChatTemplate(processor), picture

    def row(self, pair: Pair) -> Row:
        asked, answers = [], []
        for readout in (EXPECTED, GENERATE):
            ask = ask_of(pair.instruction, pair.language, readout)
            prompt = self._chat.prompt(len(ask.images), ask.text, ask.answer_prefix)
            asked.append(self._tokenizer(prompt.replace(self._image, self._image * self._picture))["input_ids"])
            answers.append(self._tokenizer(reply(pair.outcome, pair.language, readout))["input_ids"])
        same = next(index for index, tokens in enumerate(zip_longest(*asked)) if len({*tokens}) > 1)
        same = min(same, *(len(prompt) - 1 for prompt in asked))  # an answer's first token is told from the one before it
        return Row(asked[0][:same], [(prompt[same:], answer) for prompt, answer in zip(asked, answers, strict=True)])


class Rows(NamedTuple):
    """Rows as arrays, padded on the right to a common width: (rows, width) each."""

    tokens: np.ndarray
    labels: np.ndarray
    """Of the token itself, not of the one before; IGNORED where nothing is learned."""
    branches: np.ndarray
    """0 the trunk, then one number a readout."""
    position_ids: np.ndarray
    """Where each token stands in its own prompt."""


def stacked(rows: Sequence[Row], multiple: int) -> Rows:
    """`multiple`: of which the width is one, so that few widths turn up."""
    width = -(-max(map(len, rows)) // multiple) * multiple
    made = Rows(*(np.full((len(rows), width), value) for value in (0, IGNORED, PADDING, 0)))
    for number, row in enumerate(rows):
        trunk: tuple[int, int, list[int], list[int]] = (TRUNK, 0, row.trunk, [])
        parts = [trunk, *((branch, len(row.trunk), *part) for branch, part in enumerate(row.branches, 1))]
        column = 0
        for branch, start, asked, answer in parts:
            end = column + len(asked) + len(answer)
            made.tokens[number, column:end] = asked + answer
            made.labels[number, column + len(asked) : end] = answer
            made.branches[number, column:end] = branch
            made.position_ids[number, column:end] = np.arange(start, start + end - column)
            column = end
    return made
