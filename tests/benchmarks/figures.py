"""Repeated measurements, their medians, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from editbench import console


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity, measured several times; `aim`: what its median should not exceed, or reach where `more` is better."""

    name: str
    unit: str
    values: Sequence[float]
    aim: float | None = None
    more: bool = False

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def met(self) -> bool:
        return self.aim is None or (self.median >= self.aim if self.more else self.median <= self.aim)

    def to_dict(self) -> dict[str, Any]:
        spread = {"median": self.median, "min": min(self.values), "max": max(self.values)}
        return {"name": self.name, "unit": self.unit, **spread, "values": list(self.values), "aim": self.aim}

    def row(self) -> list[str]:
        """Cells: name, median, min, max, aim, and whether it is met."""
        aim = "" if self.aim is None else self._text(self.aim)
        met = "" if self.aim is None else "yes" if self.met else "NO"
        return [self.name, self._text(self.median), self._text(min(self.values)), self._text(max(self.values)), aim, met]

    def line(self) -> str:
        aim = "" if self.aim is None else f", aim {self._text(self.aim)}"
        values = sorted(self.values)
        spread = f" ({self._text(values[0])} to {self._text(values[-1])} in {len(values)})" if len(values) > 1 else ""
        return f"{self.name}: {self._text(self.median)}{spread}{aim}"

    def _text(self, value: float) -> str:
        return f"{value:.0f} MB" if self.unit == "MB" else f"{value:.3f} {self.unit}".rstrip()


def said(figures: Iterable[Figure]) -> list[Figure]:
    """The figures, each printed as it comes."""
    measured = []
    for figure in figures:
        console.say(figure.line())
        measured.append(figure)
    return measured


def ratio(name: str, left: Figure, right: Figure, aim: float | None = None) -> Figure:
    """Ratio of the medians, with those of the single repeats as its spread (runs of one repeat are neighbours in time)."""
    values = [a / b for a, b in zip(left.values, right.values, strict=True)]
    return Ratio(name, "", values, aim, of_medians=left.median / right.median)


@dataclass(frozen=True, slots=True)
class Ratio(Figure):
    of_medians: float = 0.0

    @property
    def median(self) -> float:
        return self.of_medians
