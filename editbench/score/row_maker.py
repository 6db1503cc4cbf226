"""From what is known of an item to its row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from editbench import records
from editbench.fleet.status import Event
from editbench.records import Judgement, Status
from editbench.score import questions
from editbench.score.items import JudgedItem
from editbench.score.questions import CUT
from editbench.score.rubric import Rubric
from editbench.score.settings import ScoreSettings
from editbench.score.votes import Answer, SampleOutcome, Vote


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """An item with its row. `note`: for people who watch."""

    item: JudgedItem
    row: Judgement
    note: str = ""

    def event(self, seconds: float, batch: str = "") -> Event:
        """What people who watch see. The scores of controls and anchors go into the note: they are none of the samples'."""
        row, score, note = self.row, self.row.score, " ".join(self.note.split())
        if self.item.title and score is not None:
            score, note = None, f"{score:.2f}: {note}"
        return Event(self.item.name, row.category, row.status, round(seconds, 4), score, note[:200], batch)


@dataclass(frozen=True, slots=True)
class RowMaker:
    """Makes rows by one rubric and one run's settings."""

    rubric: Rubric
    settings: ScoreSettings

    def judged(self, item: JudgedItem, votes: Iterable[Sequence[Answer]], flags: Sequence[str] = ()) -> JudgedRow:
        """`votes`: the answers to all questions about the item, once a vote; `flags`: what is odd about them.

        Raises Unscorable as the rubric does.
        """
        sample, keep = item.sample, self.rubric.partial
        cast = [Vote.of(answers, lambda criteria: self.rubric.score(criteria, sample), keep=keep) for answers in votes]
        outcome = SampleOutcome.of(cast, lambda criteria: self.rubric.steps(criteria, sample))
        flags = [*([records.PARTIAL] if outcome.partial else []), *flags]
        return JudgedRow(item, self._row(item, outcome.status, flags, **outcome.values), outcome.note)

    def unjudged(self, item: JudgedItem, why: str = "") -> JudgedRow:
        """The row of an item that could not be judged, for the reason given, or that has no edit."""
        if not item.images:
            return JudgedRow(item, self._row(item, records.EDIT_FAILED))
        return JudgedRow(item, self._row(item, records.ERROR, response=why), why)

    def _row(self, item: JudgedItem, status: Status, judged: Sequence[str] = (), **values: Any) -> Judgement:
        """`judged`: flags of the judgement, beside the edit's own."""
        flags = [*item.entry.flags, *([CUT] if questions.cuts(item.sample, self.settings) else []), *judged]
        shard = item.entry.stored.shard.name if item.entry.stored else None
        subsets = self.rubric.subsets(item.sample)
        about = records.about(item.sample)
        return Judgement(**about, status=status, shard=shard, flags=flags, subsets=subsets, audit=item.audit, **values)
