"""What judging will take, told before anything is loaded: questions to the judge, and bytes on disk."""

from __future__ import annotations

from collections.abc import Iterable

from editbench.records import GENERATE, OK, Judgement, about
from editbench.score import questions
from editbench.score.batching import BYTES, TokenEstimate
from editbench.score.items import JudgedItem
from editbench.score.rubric import Rubric
from editbench.score.rubric.prompts import Ask
from editbench.score.settings import ScoreSettings


def question_count(items: Iterable[JudgedItem], rubric: Rubric, settings: ScoreSettings) -> int:
    """Each vote is a question of its own; of a sample without an edit there is none."""
    return sum(settings.votes * len(_asks(item, rubric, settings)) for item in items)


def disk_bytes(items: Iterable[JudgedItem], rubric: Rubric, settings: ScoreSettings) -> int:
    """What the rows of these items take with replies as long as they may be."""
    return sum(_row_bytes(item, _asks(item, rubric, settings), settings) for item in items)


def token_count(items: Iterable[JudgedItem], rubric: Rubric, settings: ScoreSettings) -> tuple[int, int]:
    """Tokens that the judge reads, by an estimate, and those that it writes at most."""
    estimate = TokenEstimate(rubric, settings)
    judged = [item for item in items if item.images]
    longest = settings.max_new_tokens if settings.readout == GENERATE else 2  # "1", "0"
    return (
        settings.votes * sum(sum(estimate.by_ask(item)) for item in judged),
        longest * question_count(judged, rubric, settings),
    )


def _asks(item: JudgedItem, rubric: Rubric, settings: ScoreSettings) -> list[Ask]:
    return questions.asks(item.sample, item.kinds, rubric, settings) if item.images else []


def _row_bytes(item: JudgedItem, asks: list[Ask], settings: ScoreSettings) -> int:
    criteria = {criterion.name: float(criterion.highest) for ask in asks for criterion in ask.criteria}
    row = Judgement(**about(item.sample), status=OK, score=0.0, criteria=criteria, audit=item.audit)
    written = settings.max_new_tokens if settings.readout == GENERATE else 0
    thoughts = settings.thinking_budget or 0 if settings.keep_thoughts else 0
    return len(row.to_json()) + 1 + settings.votes * len(asks) * (written + thoughts) * BYTES
