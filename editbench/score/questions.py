"""What the judge is shown of a case: its pictures, decoded, and the rubric's texts about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from PIL import Image

from editbench import images
from editbench.fleet import failure
from editbench.fleet.failure import Failed
from editbench.records import Sample
from editbench.score.items import Case, Picture
from editbench.score.judge import THREADS, Question
from editbench.score.rubric import Rubric
from editbench.score.rubric import question as kinds
from editbench.score.rubric.question import Ask
from editbench.score.settings import ScoreSettings

CUT = "cut"
"""Flag of a row whose judge saw only the beginning of the instruction or the reference text."""
_MARK = " [...]"

Asked = list[tuple[str, dict[int, Question]]]
"""By name, in the rubric's order, what is asked of which place; in readout `expected` a name comes once a criterion."""
_Shown = Mapping[str, Sequence[Image.Image]]
"""By kind, a case's pictures."""
_Decoding = Mapping[str, Sequence[Future[Image.Image]]]
"""The same, of the kinds that are asked about, before they are decoded."""


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
    return max(len(sample.instruction), len(sample.reference_text)) > settings.max_text


class Exhibits:
    def __init__(self, rubric: Rubric, settings: ScoreSettings) -> None:
        self._rubric, self._settings = rubric, settings
        self._order = [question.name for question in rubric.questions]
        self._pool = ThreadPoolExecutor(THREADS, "decode")

    def questions(self, cases: Mapping[int, Case]) -> tuple[Asked, dict[int, Failed]]:
        """The questions about cases that have an edit, by place; and those that can't be asked about, with the reason."""
        begun = {place: failure.attempt(self._begun, case) for place, case in cases.items()}
        made = {
            place: one if isinstance(one, Failed) else failure.attempt(self._made, cases[place], *one)
            for place, one in begun.items()
        }
        broken = {place: one for place, one in made.items() if isinstance(one, Failed)}
        asked: dict[tuple[int, int], dict[int, Question]] = {}
        for place, questions in made.items():
            for turn, question in questions.items() if place not in broken else ():
                asked.setdefault(turn, {})[place] = question
        # Sorted: the first sample of a chunk may not be asked all that later ones are.
        return [(self._order[turn[0]], asked[turn]) for turn in sorted(asked)], broken

    def _begun(self, case: Case) -> tuple[Sequence[Ask], _Decoding]:
        """What to ask about a case, whose pictures are being decoded from here on."""
        asked = asks(case.sample, case.kinds, self._rubric, self._settings)
        return asked, self._decoding(case, asked)

    def _made(self, case: Case, asked: Sequence[Ask], pictures: _Decoding) -> dict[tuple[int, int], Question]:
        """The questions by their turn: the number of the rubric's question, and which of its asks."""
        shown = self._sized({kind: [one.result() for one in futures] for kind, futures in pictures.items()})
        questions: dict[tuple[int, int], Question] = {}
        for number, ask in enumerate(asked):
            turn = (self._order.index(ask.question), sum(other.question == ask.question for other in asked[:number]))
            again = self._settings.votes > 1 or any(other.images == ask.images for other in asked[number + 1 :])
            questions[turn] = _question(case.sample.key, ask, shown, again)
        return questions

    def _decoding(self, case: Case, asked: Sequence[Ask]) -> _Decoding:
        wanted = dict.fromkeys(kind for ask in asked for kind in ask.images)
        if self._rubric.resize_edited and kinds.EDITED in wanted:
            wanted |= {kinds.SOURCE: None}
        return {kind: [self._pool.submit(_decode, picture) for picture in case.pictures[kind]] for kind in wanted}

    def _sized(self, shown: _Shown) -> _Shown:
        """The edit at the size of the (first) source, where the rubric wants it so."""
        if not self._rubric.resize_edited or kinds.EDITED not in shown:
            return shown
        size = shown[kinds.SOURCE][0].size
        return {**shown, kinds.EDITED: [_resized(picture, size) for picture in shown[kinds.EDITED]]}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}{_MARK}"


def _decode(picture: Picture) -> Image.Image:
    return images.decode(picture.stored.read(picture.member), picture.name)


def _resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return picture if picture.size == size else picture.resize(size, Image.Resampling.BICUBIC)


def _question(key: str, ask: Ask, shown: _Shown, shared: bool) -> Question:
    pictures = tuple(picture for kind in dict.fromkeys(ask.images) for picture in shown[kind])
    return Question(key, pictures, ask.text, ask.answer_prefix, ask.criteria, shared=shared)
