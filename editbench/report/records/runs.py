"""A score folder as the report sees it: what made it, its rows, and the label it goes by."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Literal

from editbench import files, identity, manifests, shards
from editbench.errors import UserError
from editbench.manifests import ScoreManifest
from editbench.paths import ScorePaths
from editbench.report.records import rows
from editbench.report.records.rows import Rows, Scale

UNKNOWN = "unknown"
_TECHNICAL = {"batch_size", "batch_tokens", "audit", "readout"}  # no part of what is asked of the judge, or compared by itself


@dataclass(frozen=True, slots=True)
class Named:
    """A model or a benchmark: its name, and the revision or digest that fixes it ("" when there is none)."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.version[:12]})" if self.version else self.name


@dataclass(frozen=True, slots=True)
class RubricFacts:
    name: str
    version: str
    digest: str
    scale: Scale | None
    criteria: Mapping[str, Scale] = field(default_factory=dict)
    """Lowest and highest value of each."""
    aggregate: str = "micro"
    """How scores become the headline number: `micro`, `macro`, or `both`, micro first."""
    percent: tuple[float, float] | None = None
    """(offset, factor): score and criteria are also shown as factor * (value - offset)."""
    accuracy: bool = False
    """Whether the share of samples with every criterion at its highest counts."""
    pools: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Categories, as the rubric spells them, whose criteria are taken together."""
    partial: str = "drop"
    """`keep` where a score may leave out criteria that could not be read, else `drop`."""
    spellings: Mapping[str, str] = field(default_factory=dict)
    """The rubric's own name of a category, by how else it may be spelled (see `canonical`)."""

    def __str__(self) -> str:
        return f"{self.name} v{self.version}" if self.version else self.name

    def canonical(self, category: str) -> str:
        """The rubric's own name of a category; the name itself where it tells none."""
        # Keys are spelled as rubrics compare categories: without regard to case and to `-`, `_` and space.
        return self.spellings.get(re.sub(r"[\s_-]+", "_", category.strip().casefold()), category)


@dataclass(frozen=True, slots=True)
class Facts:
    """What made the scores, as identity.json tells."""

    editor: Named
    judge: Named
    rubric: RubricFacts
    readout: str
    benchmark: Named
    digest: str
    """Of the whole identity."""
    edits: str
    """Digest of the edits that were scored; "" when the identity tells none."""
    anchors: str = ""
    """Digest of the anchor edits that were scored too; "" for none."""


@dataclass(frozen=True, slots=True)
class Run:
    root: Path
    facts: Facts
    settings: Mapping[str, Any]
    """What else decides the scores: the judge's settings without those that only say how the work is cut."""
    rows: Rows
    audit: Rows | None = None
    """Of the controls, each with the key of the sample that it is about; None where the judge was not audited."""
    anchors: Rows | None = None
    """Of the anchor edits; None where there were none."""


def load(root: Path) -> Run:
    """Read and check a score folder.

    Raises:
        UserError: no such folder, not one of scores, scoring not finished, a file changed since, or a bad row.
    """
    if not root.is_dir():
        raise UserError(f"no folder {root}", "Give the folder that `editbench score --out` wrote.")
    paths = ScorePaths(root)
    raw, remedy = identity.load(paths.identity), "Give a folder that `editbench score` wrote."
    if (stage := raw.get("stage")) != "score":
        raise UserError(f"{root} holds results of `{stage}`, not scores", remedy)
    told = files.checked(raw, _Identity, str(paths.identity), remedy)
    if any(low >= high for low, high in filter(None, (told.rubric.scale, *told.rubric.criteria.values()))):
        raise UserError(f"{paths.identity}: rubric: a scale is upside down", remedy)
    facts = told.facts()
    settings = {name: value for name, value in told.settings.items() if name not in _TECHNICAL}
    if not paths.manifest.exists():
        raise UserError(f"{root}: scoring is not finished", "Run the same `editbench score` command again.")
    manifest, scale = manifests.load(paths.manifest, ScoreManifest), facts.rubric.scale
    return Run(
        root,
        facts,
        settings,
        _rows(paths.scores, manifest.sha256, scale),
        manifest.audit and _rows(paths.audit, manifest.audit.sha256, scale, audit=True),
        manifest.anchors and _rows(paths.anchors, manifest.anchors.sha256, scale),
    )


def labels(runs: Sequence[Run], names: Sequence[str] = ()) -> list[str]:
    """A unique label a run: `names`, or the editor's name with as much after it as tells the runs apart.

    Raises:
        UserError: not one name a run, an empty name, or one that comes twice; one folder twice.
    """
    roots = [run.root.resolve() for run in runs]
    if twice := [str(root) for root, count in Counter(roots).items() if count > 1]:
        raise UserError(f"{', '.join(twice)} is given more than once", "Give each score folder once.")
    if names:
        return _given(names, len(runs))
    found = [
        run.facts.editor.name if run.facts.editor.name != UNKNOWN else root.name for run, root in zip(runs, roots, strict=True)
    ]
    further = [[str(getattr(run.facts, name)) for run in runs] for name in ("judge", "rubric", "readout")]
    digests = [f"{run.facts.rubric} ({run.facts.rubric.digest[:6]})" for run in runs]  # one name, another text
    for values in (*further, digests, _tails(roots)):
        if len(set(found)) < len(found) and len(set(values)) > 1:
            found = [f"{label} / {value}" for label, value in zip(found, values, strict=True)]
    return [_encodable(label) for label in found]


def _given(names: Sequence[str], count: int) -> list[str]:
    if len(names) != count:
        raise UserError(f"{len(names)} names for {count} score folders", "Give one name a folder, in the same order.")
    if "" in names or len(set(names)) < count:
        raise UserError(f"names must differ and not be empty: {', '.join(names)}", "Give each folder a name of its own.")
    return [_encodable(name) for name in names]


def _tails(roots: Sequence[Path]) -> list[str]:
    """The last parts of each path, as few as make all of these different paths differ."""
    depths = range(1, max(len(root.parts) for root in roots) + 1)
    candidates = (["/".join(root.parts[-depth:]) for root in roots] for depth in depths)
    return next(tails for tails in candidates if len(set(tails)) == len(roots))


def _encodable(name: str) -> str:
    """File names may hold bytes that are no UTF-8; JSON may not."""
    return name.encode("utf-8", "replace").decode()


def _rows(file: Path, sha256: str, scale: Scale | None, *, audit: bool = False) -> Rows:
    """Of a file with that digest. Raises UserError for a bad row or, when rows are good, for another digest."""
    with ThreadPoolExecutor(1) as beside:
        hashing = beside.submit(shards.sha256, file)
        found = rows.read(file, scale, audit=audit)
        if hashing.result() != sha256:
            problem = f"{file} is not what {ScorePaths(file.parent).manifest.name} says (sha256 differs)"
            raise UserError(problem, "Restore it, or score into a new folder.")
    return found


_UNNAMED = manifests.Named(name=UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Headline:
    aggregate: Literal["micro", "macro", "both"] = "micro"
    percent: tuple[float, float] | None = None
    accuracy: bool = False
    pools: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rubric:
    name: str = UNKNOWN
    version: int | str = ""
    digest: str = ""
    scale: Scale | None = None
    criteria: dict[str, Scale] = field(default_factory=dict)
    headline: _Headline = field(default_factory=_Headline)
    partial: Literal["drop", "keep"] = "drop"
    spellings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edits:
    digest: str = ""
    benchmark: manifests.Named = _UNNAMED
    model: manifests.Named = _UNNAMED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Identity:
    """What identity.json of scores says, as far as the report reads it. Earlier versions said less: defaults stand for that."""

    edits: _Edits | None = None
    anchors: _Edits | None = None
    model: manifests.Named = _UNNAMED
    rubric: _Rubric = field(default_factory=_Rubric)
    settings: dict[str, Any] = field(default_factory=dict)
    digest: str = ""

    def facts(self) -> Facts:
        edits, rubric, headline = self.edits or _Edits(), self.rubric, self.rubric.headline
        return Facts(
            editor=_named(edits.model),
            judge=_named(self.model),
            rubric=RubricFacts(
                name=rubric.name,
                version=str(rubric.version),
                digest=rubric.digest,
                scale=rubric.scale,
                criteria=rubric.criteria,
                aggregate=headline.aggregate,
                percent=headline.percent,
                accuracy=headline.accuracy,
                pools=headline.pools,
                partial=rubric.partial,
                spellings=rubric.spellings,
            ),
            readout=str(self.settings.get("readout") or UNKNOWN),
            benchmark=_named(edits.benchmark),
            digest=self.digest,
            edits=edits.digest,
            anchors=self.anchors.digest if self.anchors else "",
        )


def _named(given: manifests.Named) -> Named:
    """Of a name that is an absolute path only the last part, which other machines share."""
    name = PurePath(given.name).name if PurePath(given.name).is_absolute() else given.name
    return Named(name, given.revision or given.digest or "")
