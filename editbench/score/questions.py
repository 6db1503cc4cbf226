"""What the judge is shown of an item: its images, decoded, and the rubric's texts about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from PIL import Image

from editbench import images
from editbench.fleet import failure
from editbench.fleet.failure import Failed
from editbench.records import Sample
from editbench.score.items import JudgedItem, StoredImage
from editbench.score.judge import Question, threads
from editbench.score.rubric import Rubric
from editbench.score.rubric import prompts as kinds
from editbench.score.rubric.prompts import Ask
from editbench.score.settings import ScoreSettings

CUT = "cut"
"""Flag of a row whose judge saw only the beginning of the instruction or the reference text."""
_MARK = " [...]"

_Turn = tuple[int, int]
"""The index of a rubric's question, and which of its asks."""
_Decoding = Mapping[str, Sequence[Future[Image.Image]]]
"""By kind, the images that are asked about, while they are being decoded."""


@dataclass(frozen=True, slots=True)
class QuestionGroup:
    """One question of the rubric, by its name, asked of the rows that it is for; in readout `expected` one of its criteria."""

    name: str
    questions: dict[int, Question]
    """By row."""


def asks(sample: Sample, pictures: Sequence[str], rubric: Rubric, settings: ScoreSettings) -> list[Ask]:
    """What is asked of a sample, its texts cut to what the judge may see. `pictures`: the kind of each that it has."""
    if cuts(sample, settings):
        sample = replace(
            sample,
            instruction=_cut(sample.instruction, settings.max_text),
            reference_text=_cut(sample.reference_text, settings.max_text),
        )
    return rubric.asks(sample, settings.language, settings.readout, pictures)


def cuts(sample: Sample, settings: ScoreSettings) -> bool:
    """Whether a text of the sample is longer than what the judge may see."""
    return max(len(sample.instruction), len(sample.reference_text)) > settings.max_text


class QuestionBuilder:
    """Makes the questions of a chunk; its images are decoded in threads."""

    def __init__(self, rubric: Rubric, settings: ScoreSettings) -> None:
        self._rubric, self._settings = rubric, settings
        self._names = [question.name for question in rubric.questions]
        self._pool = ThreadPoolExecutor(threads(), "decode")

    def build(self, items: Mapping[int, JudgedItem]) -> tuple[list[QuestionGroup], dict[int, Failed]]:
        """The questions about items that have an edit, in the rubric's order; and by row how those failed that can't be asked
        about. `items`: by row."""
        decoding = {row: failure.attempt(self._start_decoding, item) for row, item in items.items()}
        failures: dict[int, Failed] = {}
        by_turn: dict[_Turn, dict[int, Question]] = {}
        for row, begun in decoding.items():
            built = begun if isinstance(begun, Failed) else failure.attempt(self._questions, items[row], *begun)
            if isinstance(built, Failed):
                failures[row] = built
                continue
            for turn, question in built.items():
                by_turn.setdefault(turn, {})[row] = question
        # Sorted: the first sample of a chunk may not be asked all that later ones are.
        return [QuestionGroup(self._names[turn[0]], by_turn[turn]) for turn in sorted(by_turn)], failures

    def _start_decoding(self, item: JudgedItem) -> tuple[Sequence[Ask], _Decoding]:
        """What to ask about an item, whose images are being decoded from here on."""
        asked = asks(item.sample, item.kinds, self._rubric, self._settings)
        needed = dict.fromkeys(kind for ask in asked for kind in ask.images)
        if self._rubric.resize_edited and kinds.EDITED in needed:
            needed |= {kinds.SOURCE: None}
        return asked, {kind: [self._pool.submit(_decode, image) for image in item.images[kind]] for kind in needed}

    def _questions(self, item: JudgedItem, asked: Sequence[Ask], decoding: _Decoding) -> dict[_Turn, Question]:
        decoded = {kind: [future.result() for future in futures] for kind, futures in decoding.items()}
        if self._rubric.resize_edited and kinds.EDITED in decoded:
            size = decoded[kinds.SOURCE][0].size
            decoded[kinds.EDITED] = [
                image if image.size == size else image.resize(size, Image.Resampling.BICUBIC) for image in decoded[kinds.EDITED]
            ]
        questions: dict[_Turn, Question] = {}
        turns = Counter[str]()
        for index, ask in enumerate(asked):
            later = asked[index + 1 :]
            shown = [(kind, image) for kind in dict.fromkeys(ask.images) for image in decoded[kind]]
            again = {kind for following in later for kind in following.images}
            questions[self._names.index(ask.question), turns[ask.question]] = Question(
                item.sample.key,
                tuple(image for _, image in shown),
                ask.text,
                ask.answer_prefix,
                ask.criteria,
                shared=self._settings.votes > 1 or any(following.images == ask.images for following in later),
                reused=tuple(number for number, (kind, _) in enumerate(shown) if kind in again),
            )
            turns[ask.question] += 1
        return questions


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}{_MARK}"


def _decode(image: StoredImage) -> Image.Image:
    return images.decode(image.stored.read(image.member), image.name)
