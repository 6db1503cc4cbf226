"""An earlier run's replies, read again by a changed rubric: a formula, a range or a way of reading costs no GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editbench import files, identity, manifests, remote, shards
from editbench.edits import Edits
from editbench.errors import UserError
from editbench.fleet import stage
from editbench.fleet.run_options import RunOptions
from editbench.manifests import ScoreManifest
from editbench.models import Kind, Model
from editbench.paths import ScorePaths
from editbench.records import EDIT_FAILED, ERROR, EXPECTED, FORCED, OK, Judgement
from editbench.score import questions, rubric, votes
from editbench.score.items import ANCHOR, JudgedItem
from editbench.score.judge import Reply
from editbench.score.recorded import RecordedStage, Unrecorded
from editbench.score.rubric import Rubric
from editbench.score.rubric.prompts import Ask
from editbench.score.settings import ScoreSettings
from editbench.score.stage import checked_rubric
from editbench.score.votes import Answer

REMEDY = "Give a finished folder of scores, and the edits that it is of."


def reread(
    edits: Path, scores: Path, rubric_name: str | None, out: Path, options: RunOptions, anchors: Path | None = None
) -> None:
    """Score edits by the replies that the rows in `scores` keep, with that run's judge and settings.

    Raises:
        UserError: `scores` is not of these edits (and anchors), or the rubric would ask something else now: names what.
        Incomplete: as `score` does.
    """
    options.check()
    earlier = _Earlier.open(scores)
    opened, others = Edits.open(edits), Edits.open(anchors) if anchors else None
    earlier.check_inputs(opened, others)
    settings, chosen = earlier.settings, checked_rubric(rubric_name, earlier.settings, opened, others)
    planned = RecordedStage.of(
        opened,
        earlier.model,
        chosen,
        settings,
        out,
        options,
        lambda item: earlier.answers(item, chosen),
        others,
        reread=earlier.digest,
    )
    earlier.check_prompts([*planned.items], chosen)
    stage.run(planned)


@dataclass(frozen=True, slots=True)
class _Earlier:
    """A finished run of scores. `digest`: of its manifest; `rows`: by key and kind of control, those of anchors apart."""

    root: Path
    digest: str
    told: dict[str, Any]
    model: Model
    rubric: Rubric
    settings: ScoreSettings
    rows: dict[tuple[str, str], Judgement]

    @classmethod
    def open(cls, root: Path) -> _Earlier:
        remote.pull(root)
        paths = ScorePaths(root)
        told = identity.load(paths.identity)
        manifest = manifests.load(paths.manifest, ScoreManifest, REMEDY)
        if told.get("stage") != "score" or manifest.identity != told["digest"]:
            raise UserError(f"{root} holds no scores of one run", REMEDY)
        entries = {paths.scores: manifest, paths.audit: manifest.audit, paths.anchors: manifest.anchors}
        for path, entry in entries.items():
            if entry and shards.sha256(path) != entry.sha256:
                raise UserError(f"{path} was changed: it is not as its manifest says", REMEDY)
        stored = files.checked(told, _Identity, str(paths.identity), REMEDY)
        if stored.settings.votes < 1:
            raise UserError(f"{paths.identity} says that it has {stored.settings.votes} votes", REMEDY)
        of = {paths.scores: "", paths.audit: "", paths.anchors: ANCHOR}
        rows = {
            (row.key, title or row.audit): row
            for path, title in of.items()
            if entries[path]
            for row in files.rows(path, Judgement, REMEDY)
        }
        model = Model(Kind.RECORDED, stored.model.name, str(root), told["model"])
        asked = rubric.parse(stored.rubric.text, str(paths.identity))
        return cls(root, manifest.digest, told, model, asked, stored.settings, rows)

    def check_inputs(self, edits: Edits, anchors: Edits | None) -> None:
        for name, given in (("edits", edits), ("anchors", anchors)):
            stored = (self.told.get(name) or {}).get("digest")
            if stored != (given.manifest.digest if given else None):
                which = f"the {name} in {given.root}" if given else f"no {name}, but of some: give --{name}"
                raise UserError(f"{self.root} is not of {which}", REMEDY)

    def check_prompts(self, items: Sequence[JudgedItem], chosen: Rubric) -> None:
        """Raises UserError when the rubric asks something else than the run asked."""
        changed: dict[str, str] = {}
        for item in items:
            if item.images:
                changed |= {name: item.name for name in self._changed(item, chosen) if name not in changed}
        if changed:
            named = "; ".join(f"question {name} (first of {key})" for name, key in changed.items())
            raise UserError(f"the judge would be asked something else now: {named}", "Score anew with --model.")

    def _changed(self, item: JudgedItem, chosen: Rubric) -> list[str]:
        """The questions whose prompts differ."""
        before, now = (
            {(ask.question, ask.text, ask.answer_prefix, ask.images) for ask in self._asks(item, each)}
            for each in (self.rubric, chosen)
        )
        return sorted({name for name, *_ in before ^ now})

    def _asks(self, item: JudgedItem, by: Rubric) -> list[Ask]:
        return questions.asks(item.sample, item.kinds, by, self.settings)

    def answers(self, item: JudgedItem, chosen: Rubric) -> list[list[Answer]]:
        row = self.rows.get((item.sample.key, item.title))
        if row is None:
            raise Unrecorded("the earlier run has no row of it")
        if row.status == EDIT_FAILED:
            return []
        if row.status == ERROR:
            raise Unrecorded(row.response)
        asks = self._asks(item, chosen)
        if row.read == EXPECTED:
            return [self._kept(item, asks, row)]
        lines = votes.titles([ask.question for ask in asks], self.settings.votes)
        texts = iter(votes.split(row.response, lines))
        read = [
            [votes.written(ask.question, ask.criteria, Reply(text)) for ask, text in zip(asks, texts, strict=False)]
            for _ in range(self.settings.votes)
        ]
        unread = any(answer.status != OK for answers in read for answer in answers)
        return [self._kept(item, asks, row)] if unread and row.read == FORCED else read

    def _kept(self, item: JudgedItem, asks: Sequence[Ask], row: Judgement) -> list[Answer]:
        """What a row keeps of distributions: each criterion's value, which means nothing on another range."""
        values, before = row.criteria or {}, {entry for ask in self._asks(item, self.rubric) for entry in ask.criteria}
        if not all(entry in before and entry.name in values for ask in asks for entry in ask.criteria):
            raise Unrecorded("its distributions were over other answers")
        masses, answers = () if row.mass is None else (row.mass,), []
        for ask in asks:
            means = {entry.name: values[entry.name] for entry in ask.criteria}
            expected = means if row.read == EXPECTED else {}
            answers.append(Answer(ask.question, OK, means, means, expected, masses, text=row.response, read=row.read))
        return answers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Identity:
    """What identity.json of scores says, as far as it is needed to read its replies again."""

    model: manifests.Named
    rubric: _Text
    settings: ScoreSettings
