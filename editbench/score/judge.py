"""The judge protocol: questions about pictures go in, replies come out. Imports nothing heavy.

A judge is made from a model name and `JudgeSettings`. `prepare` is CPU work and runs in threads ahead of the model; `answer`
and `force` run the model, one batch at a time:

>>> replies = judge.answer(judge.prepare(questions))
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from PIL import Image

from editbench.errors import require
from editbench.records import GENERATE, READOUTS, Readout
from editbench.score.criteria import Criterion

DTYPES = ("bfloat16", "float16", "float32")


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask of one sample."""

    key: str
    images: tuple[Image.Image, ...]
    """RGB, in the prompt's order: source, edited."""
    text: str
    """The user's turn after the pictures. Data of a benchmark may be in it: control tokens in it are only text."""
    answer_prefix: str
    """How the judge's answer begins; it goes on from here. In readout `expected` the score comes next."""
    criteria: tuple[Criterion, ...] = (Criterion("score", 0, 10),)
    """What the answer gives; exactly one in readout `expected`."""
    said: str = ""
    """What the judge has answered so far, behind the prefix. Control tokens in it are only text."""
    shared: bool = False
    """Another question follows about exactly the same pictures (the same objects), or the same one in another vote: what was
    worked out about them is worth keeping. Moves no more than the last bits of a reply."""
    reused: tuple[int, ...] = ()
    """Indices of the images that a question which follows shows too, be it beside others: what was worked out about each of
    them is worth keeping. Moves no more than the last bits of a reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A judge's answer to one question."""

    text: str
    """What the judge wrote, `answer_prefix` included; "" in readout `expected`."""
    distributions: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """By criterion, the probabilities of its allowed answers, lowest to highest, out of all answers: they add up to its mass
    (none for a criterion whose answers can't be told apart by them, see `readout.tells_apart`).
    In readout `generate` those where the judge wrote its answer; a criterion is missing where that step is not known."""
    error: str = ""
    """Why this one question could not be answered, though others could; then there is nothing to read."""
    thought: str = ""
    """What the judge thought before, tags included, where thoughts are kept. A row has it before the text; it is not read."""
    cut: bool = False
    """Whether the judge came to no answer; `text` says why. There is nothing to read, and nothing is asked again."""
    short_of_memory: bool = False
    """Whether it was come to in another way than planned, since memory ran out: its last bits may differ from another run's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSettings:
    """How a judge is to run. Raises UserError for a value that no judge can work with."""

    device: str
    """As torch names it: cpu, cuda:0."""
    dtype: str
    readout: Readout
    max_new_tokens: int = 256
    """In readout `generate`, without the prefix."""
    max_pixels: int = 1_048_576
    """Largest area of a picture; larger ones are made smaller."""
    min_pixels: int = 65_536
    temperature: float = 0.0
    """0: the most likely token each time; above: tokens are drawn, with their logits divided by it."""
    thinking_budget: int | None = None
    """Tokens that a judge may think before it answers; None: it answers at once."""
    keep_thoughts: bool = False
    """Whether replies tell the thoughts."""
    cuda_graph: bool = False
    """Whether steps of a reply are replayed as a CUDA graph."""

    def __post_init__(self) -> None:
        require(self.dtype in DTYPES, f"dtype {self.dtype} is unknown", f"Choose one of {', '.join(DTYPES)}.")
        require(self.readout in READOUTS, f"readout {self.readout} is unknown", f"Choose one of {', '.join(READOUTS)}.")
        require(self.max_new_tokens > 0, f"max_new_tokens is {self.max_new_tokens}", "Allow at least one token.")
        require(self.thinking_budget is None or self.thinking_budget > 0, "no budget for thoughts", "Allow at least one token.")
        require(
            0 < self.min_pixels <= self.max_pixels,
            f"a picture can't have {self.min_pixels:,} to {self.max_pixels:,} pixels",
            f"Choose max_pixels of at least {self.min_pixels:,}.",
        )
        require(
            self.temperature == 0 or (self.readout == GENERATE and 0 < self.temperature < math.inf),
            f"temperature {self.temperature:g} does not go with readout {self.readout}",
            "Give 0, or a number above it with readout generate; readout expected draws nothing.",
        )


class Judge(ABC):
    """Answers questions about pictures. One thread calls `answer`; several may call `prepare` meanwhile."""

    notes: Sequence[str] = ()
    """For the user: how it runs here."""
    kernels: Mapping[str, str] = MappingProxyType({})
    """By name, what it runs on where there is a choice, for environment.json."""

    def prepare(self, questions: Sequence[Question]) -> Any:
        """What `answer` takes: a batch resized and tokenised on the CPU.

        Raises ValueError or UserError for a question that this judge can't take; the others are then asked without it.
        """
        return questions

    @abstractmethod
    def answer(self, prepared: Any, seeds: Sequence[int] | None = None) -> list[Reply]:
        """One reply a question, in their order. `seeds`: given with a temperature above 0, one a question; the same seed draws
        the same reply, whatever else is in the batch.

        May raise anything: the questions are then asked again one by one, and those it raises for alone have failed."""

    def force(self, questions: Sequence[Question]) -> list[Reply] | None:  # noqa: ARG002
        """For each question, which has one criterion, the distribution over its answers as what comes next after `said`.

        Asked when a reply could not be read. None: this judge can't tell.
        """
        return None


def threads() -> int:
    """Pictures that a rank decodes, or resizes, at a time: as many as its share of the machine's cores.

    Pillow lets go of the interpreter meanwhile. On two busy cores, 8 pairs of 1280 x 1024 took 1.09 s with one thread and 0.70
    with two.
    """
    return max(len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)
