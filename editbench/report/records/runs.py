"""A score folder as the report sees it: what made it, its rows, and the label it goes by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any, Literal

from editbench import files, identity, manifests, remote, shards, usage
from editbench.errors import UserError
from editbench.manifests import ScoreManifest
from editbench.models import Kind
from editbench.paths import ScorePaths
from editbench.records import spelling
from editbench.report.records import rows
from editbench.report.records.rows import Rows, Scale
from editbench.usage import Usage
from editbench.wording import counted

UNKNOWN = "unknown"
MICRO_MEAN, MACRO_MEAN = "micro mean", "macro mean"
_TECHNICAL = {"batch_size", "batch_tokens", "audit", "readout"}  # no part of what is asked of the judge, or compared by itself
_UNNAMED = manifests.Named(name=UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class _NamedJudge(manifests.Named):
    """`family`: model type of a judge that ran through transformers' own `generate`; None for all others."""

    family: str | None = None
    kind: str = ""

    @property
    def shown(self) -> Versioned:
        judge = Versioned.of(self)
        return replace(judge, name=f"{judge.name} ({self.family} through generate)") if self.family else judge


@dataclass(frozen=True, slots=True)
class Versioned:
    """A model or a benchmark: its name, and the revision or digest that fixes it ("" when there is none)."""

    name: str
    version: str = ""

    @classmethod
    def of(cls, named: manifests.Named) -> Versioned:
        """What a manifest names; of a name that is an absolute path only the last part, which other machines share."""
        name = PurePath(named.name).name if PurePath(named.name).is_absolute() else named.name
        return cls(name, named.revision or named.digest or "")

    def __str__(self) -> str:
        return f"{self.name} ({self.version[:12]})" if self.version else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlineFacts:
    """How a rubric's scores become the number that ranks runs, and the further numbers it asks for."""

    title: str = ""
    """What the benchmark itself calls the number; "" where it has no name of its own."""
    aggregate: Literal["micro", "macro", "both"] = "micro"
    """`both`: the micro mean ranks, the macro mean is shown too."""
    percent: tuple[float, float] | None = None
    """(offset, factor): score and criteria are also shown as factor * (value - offset)."""
    accuracy: bool = False
    """Whether the share of samples with every criterion at its highest counts."""
    pools: dict[str, list[str]] = field(default_factory=dict)
    """Categories, as the rubric spells them, whose criteria are taken together."""

    @property
    def name(self) -> str:
        """MICRO_MEAN or MACRO_MEAN: which mean is the headline number."""
        return MACRO_MEAN if self.aggregate == "macro" else MICRO_MEAN


@dataclass(frozen=True, slots=True, kw_only=True)
class RubricFacts:
    """What identity.json of scores says of their rubric. Earlier versions said less: defaults stand for that."""

    name: str = UNKNOWN
    version: int | str = ""
    digest: str = ""
    scale: Scale | None = None
    criteria: dict[str, Scale] = field(default_factory=dict)
    """Lowest and highest value of each criterion."""
    headline: HeadlineFacts = field(default_factory=HeadlineFacts)
    partial: Literal["drop", "keep"] = "drop"
    """`keep` where a score may leave out criteria that could not be read, else `drop`."""
    spellings: dict[str, str] = field(default_factory=dict)
    """The rubric's own name of a category, by its `records.spelling`."""

    def __str__(self) -> str:
        return self.name if self.version == "" else f"{self.name} v{self.version}"

    def canonical(self, category: str) -> str:
        """The rubric's own name of a category; the name itself where the rubric has none for it."""
        return self.spellings.get(spelling(category), category)


@dataclass(frozen=True, slots=True)
class Facts:
    """What made the scores, as identity.json tells."""

    editor: Versioned
    judge: Versioned
    rubric: RubricFacts
    readout: str
    benchmark: Versioned
    digest: str
    """Digest of the whole identity."""
    edits: str
    """Digest of the edits that were scored; "" when the identity tells none."""
    anchors: str = ""
    """Digest of the anchor edits that were scored too; "" for none."""
    control: bool = False
    """Whether the editor is one of our controls, such as `copy`: all its scores may well be the same."""


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """A finished folder of scores."""

    root: Path
    facts: Facts
    settings: Mapping[str, Any]
    """What else decides the scores: the judge's settings without those that only say how the work is cut."""
    rows: Rows
    audit: Rows | None = None
    """Rows of the controls, each with the key of the sample that it is about; None where the judge was not audited."""
    anchors: Rows | None = None
    """Rows of the anchor edits; None where there were none."""
    tokens: Usage | None = None
    """What a served judge has used in all attempts; None for other judges, and where no timings tell it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _EditsFacts:
    digest: str = ""
    benchmark: manifests.Named = _UNNAMED
    model: manifests.Named = _UNNAMED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Identity:
    """What identity.json of scores says, as far as the report reads it. Earlier versions said less: defaults stand for that."""

    edits: _EditsFacts | None = None
    anchors: _EditsFacts | None = None
    model: _NamedJudge = _NamedJudge(name=UNKNOWN)
    rubric: RubricFacts = field(default_factory=RubricFacts)
    settings: dict[str, Any] = field(default_factory=dict)
    digest: str = ""

    def facts(self) -> Facts:
        """What the report shows of it."""
        edits = self.edits or _EditsFacts()
        return Facts(
            editor=Versioned.of(edits.model),
            judge=self.model.shown,
            rubric=self.rubric,
            readout=str(self.settings.get("readout") or UNKNOWN),
            benchmark=Versioned.of(edits.benchmark),
            digest=self.digest,
            edits=edits.digest,
            anchors=self.anchors.digest if self.anchors else "",
            control=edits.model.kind == Kind.CONTROL,
        )


def load(root: Path) -> ScoredRun:
    """Read and check a score folder.

    Raises:
        UserError: no such folder, not one of scores, scoring not finished, a file changed since, or a bad row.
    """
    remote.pull(root)
    if not root.is_dir():
        raise UserError(f"no folder {root}", "Give the folder that `editbench score --out` wrote.")
    paths = ScorePaths(root)
    raw, remedy = identity.load(paths.identity), "Give a folder that `editbench score` wrote."
    if (stage := raw.get("stage")) != "score":
        raise UserError(f"{root} holds results of `{stage}`, not scores", remedy)
    stored = files.checked(raw, _Identity, str(paths.identity), remedy)
    if any(low >= high for low, high in filter(None, (stored.rubric.scale, *stored.rubric.criteria.values()))):
        raise UserError(f"{paths.identity}: rubric: a scale is upside down", remedy)
    if not paths.manifest.exists():
        raise UserError(f"{root}: scoring is not finished", "Run the same `editbench score` command again.")
    manifest, scale = manifests.load(paths.manifest, ScoreManifest), stored.rubric.scale
    return ScoredRun(
        root,
        stored.facts(),
        {name: value for name, value in stored.settings.items() if name not in _TECHNICAL},
        _rows(paths.scores, manifest.sha256, scale),
        _rows(paths.audit, manifest.audit.sha256, scale, audit=True) if manifest.audit else None,
        _rows(paths.anchors, manifest.anchors.sha256, scale) if manifest.anchors else None,
        _tokens(paths) if stored.model.kind == Kind.SERVED else None,
    )


def labels(runs: Sequence[ScoredRun], names: Sequence[str] = ()) -> list[str]:
    """A unique label a run: `names`, or the editor's name with as much after it as tells the runs apart.

    Raises:
        UserError: not one name a run, an empty name, or one that comes twice; one folder twice.
    """
    roots = [run.root.resolve() for run in runs]
    if twice := [str(root) for root, count in Counter(roots).items() if count > 1]:
        raise UserError(f"{', '.join(twice)} is given more than once", "Give each score folder once.")
    if names:
        if len(names) != len(runs):
            remedy = "Give one name a folder, in the same order."
            raise UserError(f"{counted(len(names), 'name')} for {counted(len(runs), 'score folder')}", remedy)
        if "" in names or len(set(names)) < len(names):
            raise UserError(f"names must differ and not be empty: {', '.join(names)}", "Give each folder a name of its own.")
        return list(map(_encodable, names))
    editors = [run.facts.editor.name for run in runs]
    labels = [root.name if editor == UNKNOWN else editor for editor, root in zip(editors, roots, strict=True)]
    facts = [[str(getattr(run.facts, name)) for run in runs] for name in ("judge", "rubric", "readout")]
    digests = [f"{run.facts.rubric} ({run.facts.rubric.digest[:6]})" for run in runs]  # one name, another text
    for values in (*facts, digests, _tails(roots)):
        if len(set(labels)) < len(labels) and len(set(values)) > 1:
            labels = [f"{label} / {value}" for label, value in zip(labels, values, strict=True)]
    return list(map(_encodable, labels))


def _tails(roots: Sequence[Path]) -> list[str]:
    """The last parts of each path, as few as make all of these different paths differ."""
    depths = range(1, max(len(root.parts) for root in roots) + 1)
    candidates = (["/".join(root.parts[-depth:]) for root in roots] for depth in depths)
    return next(tails for tails in candidates if len(set(tails)) == len(roots))


def _tokens(paths: ScorePaths) -> Usage | None:
    used, samples = usage.used(paths)
    return used if samples else None


def _encodable(name: str) -> str:
    """File names may hold bytes that are no UTF-8; JSON may not."""
    return name.encode("utf-8", "replace").decode()


def _rows(file: Path, sha256: str, scale: Scale | None, *, audit: bool = False) -> Rows:
    """The rows of a file. Raises UserError for a bad row or, when rows are good, for another digest than `sha256`."""
    with ThreadPoolExecutor(1) as thread:
        hashing = thread.submit(shards.sha256, file)
        read = rows.read(file, scale, audit=audit)
        if hashing.result() != sha256:
            problem = f"{file} is not what {ScorePaths(file.parent).manifest.name} says (sha256 differs)"
            raise UserError(problem, "Restore it, or score into a new folder.")
    return read
