"""What a probe of `doctor` found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

State = Literal["ok", "note", "fault"]
OK: State = "ok"
NOTE: State = "note"
"""Worth knowing; no stage stops for it."""
FAULT: State = "fault"
"""The stages of the check can't run."""

STAGES = ("import", "edit", "score", "report")
MODEL_STAGES = ("edit", "score")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the table. `stages`: those that it is for."""

    what: str
    here: str
    tested: str = ""
    """The version that the tests pass with."""
    state: State = OK
    stages: tuple[str, ...] = MODEL_STAGES
    remedy: str = ""
    """How to mend it, in a sentence, where that is not OK."""

    def but_if(self, broken: bool, remedy: str, state: State = FAULT) -> Check:
        """The same; where it is `broken`, in that state and with that remedy."""
        return replace(self, state=state, remedy=remedy) if broken else self
