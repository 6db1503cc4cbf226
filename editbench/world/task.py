"""A task of the small world: a source, what is asked of it, and every outcome with its picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from editbench.world.chance import Chance
from editbench.world.colours import ZH
from editbench.world.families import FAMILIES
from editbench.world.referents import Phrase
from editbench.world.scene import SIDE, Scene
from editbench.world.sprites import Thing
from editbench.world.truth import Outcome

CATEGORY = {name: category for category, families in FAMILIES.items() for name in families}
"""Of each family."""
_FAMILY = {name: family for families in FAMILIES.values() for name, family in families.items()}


@dataclass(frozen=True, slots=True)
class Task:
    """`outcomes`: scenes of all but STRANGER, for which any other picture will do."""

    family: str
    request: str
    phrases: Mapping[str, Phrase]
    outcomes: Mapping[Outcome, Scene]

    @property
    def source(self) -> Scene:
        return self.outcomes[Outcome.NOTHING]

    def sentence(self, language: str, ask: Chance) -> str:
        phrases = {name: phrase[language] for name, phrase in self.phrases.items()}
        return ask.sentence(self.request, language, phrases)


def make(family: str, draw: Chance, ask: Chance) -> Task:
    """`draw`: what the source shows; `ask`: what is asked of it, and how it goes wrong."""
    draft = _FAMILY[family](draw, ask)
    harm = ask.pick(HARMS)(ask, draft.source)
    outcomes = {
        Outcome.RIGHT: draft.right,
        Outcome.OVER: harm(draft.right),
        Outcome.HALF: draft.half,
        Outcome.VALUE: draft.value,
        Outcome.PLACE: draft.wrong_place,
        Outcome.ELSE: harm(draft.source),
        Outcome.NOTHING: draft.source,
    }
    return Task(family, draft.request, draft.phrases, outcomes)


Harm = Callable[[Scene], Scene]


def _wash(ask: Chance, source: Scene) -> Harm:  # noqa: ARG001 - all of HARMS are called alike
    """One colour lies over the whole picture."""
    colour = ask.shade(ask.pick([*ZH]))
    return lambda scene: replace(scene, wash=colour)


def _repaint(ask: Chance, source: Scene) -> Harm:
    """Another background."""
    backdrop = ask.backdrop(besides=source.backdrop.photograph)
    return lambda scene: replace(scene, backdrop=backdrop)


def _intruder(ask: Chance, source: Scene) -> Harm:  # noqa: ARG001 - all of HARMS are called alike
    """A thing more, that nobody asked for, between the others."""
    kind, x, y = ask.pick(("disc", "star", "square")), ask.between(SIDE // 2 - 6, SIDE // 2 + 6), ask.between(30, 44)
    thing = Thing(kind, x, y, ask.between(22, 28), ask.shade(ask.pick([*ZH])))
    return lambda scene: replace(scene, things=(*scene.things, thing))


HARMS = (_wash, _repaint, _intruder)
"""What an edit that goes too far does besides."""
