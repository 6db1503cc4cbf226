"""What a judge rates: a name and the whole numbers it may answer with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Criterion:
    """One number that is asked for. `lowest`..`highest`: what the judge may answer, both included."""

    name: str
    lowest: int
    highest: int
    labels: tuple[str, ...] = ()
    """Other names that a reply may give it."""
    scale: tuple[int, int] | None = None
    """What an answer counts as, lowest and highest, where that is not the answer itself (0/1 that counts as 1/5)."""

    def value(self, answer: float) -> float:
        """An answer, or the mean of a distribution over answers, on the criterion's own scale."""
        if self.scale is None:
            return answer
        low, high = self.scale
        return low + (answer - self.lowest) * (high - low) / (self.highest - self.lowest)
