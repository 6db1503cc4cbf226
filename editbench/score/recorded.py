"""Scores without a judge at hand: from replies, or from numbers, that were written down elsewhere or by an earlier run.

They go through the rubric as if the judge gave them now, into a folder of scores like any other, whose identity says where they
come from. Nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from editbench import console, environment, files, shards
from editbench.edits import Edits
from editbench.errors import UserError
from editbench.fleet import stage
from editbench.fleet.devices import Devices
from editbench.fleet.run_options import RunOptions
from editbench.models import Kind, Model
from editbench.paths import ScorePaths
from editbench.records import GENERATE, Judgement
from editbench.score import questions, votes
from editbench.score.items import JudgedItem
from editbench.score.judge import Reply
from editbench.score.row_maker import RowMaker
from editbench.score.rubric import Rubric
from editbench.score.settings import ScoreSettings
from editbench.score.stage import ScoreStage, checked_rubric, score_identity
from editbench.score.votes import Answer

NOWHERE = Devices("cpu", 1, {})
"""No rank is started."""
SHOWN = 3
"""Keys that a message names of many."""


class Unrecorded(Exception):
    """Of an item nothing was recorded; the text says what is missing."""


Answers = Callable[[JudgedItem], Sequence[Sequence[Answer]]]
"""The answers to all questions about an item, once a vote. Raises Unrecorded."""


@dataclass(frozen=True, kw_only=True)
class RecordedStage(ScoreStage):
    """A stage of scores that reads its answers instead of asking for them."""

    answers: Answers

    @classmethod
    def of(
        cls,
        edits: Edits,
        model: Model,
        chosen: Rubric,
        settings: ScoreSettings,
        out: Path,
        options: RunOptions,
        answers: Answers,
        anchors: Edits | None = None,
        **more: Any,
    ) -> RecordedStage:
        """`model`: the judge that gave the answers. `more`: JSON values that the scores depend on besides."""
        return cls(
            paths=ScorePaths(out),
            model=model,
            devices=NOWHERE,
            options=options,
            identity=score_identity(edits, anchors, model, chosen, settings, **more),
            edits=edits,
            anchors=anchors,
            rubric=chosen,
            settings=settings,
            retry=(),
            answers=answers,
        )

    def work(self) -> None:
        environment.begin(self.paths, [], more=self.environment())
        items, maker = [*self.items], RowMaker(self.rubric, self.settings)
        for chunk in self.pending():
            self.chunks.put(chunk, [self._row(maker, items[row]) for row in self.chunks.rows_of(chunk)])

    def model_calls(self, items: Sequence[int]) -> str:  # noqa: ARG002
        return "0"

    def _row(self, maker: RowMaker, item: JudgedItem) -> Judgement:
        try:
            answers = self.answers(item)
        except Unrecorded as missing:
            return maker.unjudged(item, str(missing)).row
        return maker.judged(item, answers).row if answers else maker.unjudged(item).row


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedReply:
    """A line of a file of replies. Its other fields are ignored."""

    key: str
    """The sample's key, or its id."""
    reply: str
    """All that the judge wrote."""
    question: str = ""
    """The rubric's name of the question; may be left out where it asks one alone."""
    judge: str = ""


def score_replies(
    edits: Path, file: Path, rubric_name: str | None, out: Path, settings: ScoreSettings, options: RunOptions
) -> None:
    """Score edits by the replies in `file`, JSON Lines of `RecordedReply`. Several of one sample and question are votes.

    Raises:
        UserError: bad input, replies of several judges, or none that belongs to these edits.
        Incomplete: more samples than `options.max_failures` allows lack a reply.
    """
    options.check()
    opened, recorded = Edits.open(edits), _Replies.read(file)
    settings = replace(settings, readout=GENERATE, forced=False, audit=0.0, dtype="float32", votes=recorded.votes)
    chosen = checked_rubric(rubric_name, settings, opened)
    recorded.check(file, opened, [question.name for question in chosen.questions])
    name = recorded.judge or file.stem
    model = Model(Kind.RECORDED, name, str(file), {"kind": Kind.RECORDED, "name": name, "digest": shards.sha256(file)})

    def answers(item: JudgedItem) -> list[list[Answer]]:
        if not item.images:
            return []
        asked = questions.asks(item.sample, item.kinds, chosen, settings)
        replies = [recorded.of(item, ask.question, alone=len(asked) == 1) for ask in asked]
        return [
            [votes.written(ask.question, ask.criteria, Reply(text)) for ask, text in zip(asked, vote, strict=True)]
            for vote in zip(*replies, strict=False)  # as many votes as all questions have
        ]

    stage.run(RecordedStage.of(opened, model, chosen, settings, out, options, answers))


def first_sample(edits: Edits) -> str:
    """For a message about samples that are not of these edits: how those are called."""
    return f"The first sample is {edits.entries[0].sample.key}." if edits.entries else "There are none."


@dataclass(frozen=True, slots=True)
class _Replies:
    judge: str
    texts: dict[tuple[str, str], list[str]]
    """By key or id, and question."""

    @classmethod
    def read(cls, file: Path) -> _Replies:
        texts: dict[tuple[str, str], list[str]] = {}
        judges: dict[str, None] = {}
        for line in files.rows(file, RecordedReply, "Lines are JSON objects with key, question, reply and judge."):
            texts.setdefault((line.key, line.question), []).append(line.reply)
            judges[line.judge] = None
        if not texts:
            raise UserError(f"{file} holds no replies", "Lines are JSON objects with key, question, reply and judge.")
        if len(judges) > 1:
            named = ", ".join(repr(judge) for judge in judges)
            raise UserError(f"{file} holds replies of several judges: {named}", "Give each judge a file of its own.")
        return cls(next(iter(judges)), texts)

    @property
    def votes(self) -> int:
        """The most replies to one question about one sample."""
        return max(map(len, self.texts.values()))

    def of(self, item: JudgedItem, question: str, *, alone: bool) -> list[str]:
        names = [(name, asked) for asked in (question, *([""] if alone else [])) for name in (item.sample.key, item.sample.id)]
        texts = next((self.texts[name] for name in names if name in self.texts), None)
        if texts is None:
            raise Unrecorded(f"no reply to question {question!r} is recorded")
        return texts

    def check(self, file: Path, edits: Edits, asked: Sequence[str]) -> None:
        """Warn of replies that are of no sample. Raises UserError when all are, or for a question that is not `asked`."""
        if unknown := [question for _, question in self.texts if question not in ("", *asked)]:
            raise UserError(f"{file}: the rubric has no question {unknown[0]!r}", f"It has: {', '.join(asked)}.")
        known = {name for entry in edits.entries for name in (entry.sample.key, entry.sample.id)}
        strangers = [*dict.fromkeys(key for key, _ in self.texts if key not in known)]
        if not strangers:
            return
        named = ", ".join(strangers[:SHOWN]) + (f" and {len(strangers) - SHOWN} more" if len(strangers) > SHOWN else "")
        if all(key not in known for key, _ in self.texts):
            raise UserError(f"{file}: no reply is of a sample of {edits.root}, but of {named}", first_sample(edits))
        console.warn(f"{file}: replies are left out of what is no sample of {edits.root}: {named}")
