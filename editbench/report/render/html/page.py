"""Write report.html: one page that holds its numbers, its charts and (up to a size) its pictures.

Equal input gives equal bytes: no dates, hosts or paths. The page asks for nothing from a network: its policy allows its own
style and scripts by their sha256, pictures it holds, and files beside it. Text of benchmarks, models and people reaches it
escaped (Jinja), or as JSON that the scripts only ever set as text.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from editbench import atomic
from editbench.errors import UserError
from editbench.paths import ReportPaths
from editbench.printable import printable
from editbench.report.render import formats
from editbench.report.render.html import charts, data, gallery, thumbnails, verdict, view
from editbench.report.render.html.charts import Axis
from editbench.report.render.html.gallery import Gallery
from editbench.report.render.html.pictures import RunPictures
from editbench.usage import Usage
from editbench.wording import counted

if TYPE_CHECKING:
    from jinja2 import Environment, Template

SCRIPTS = ("data", "filter", "grid", "detail", "main")
"""Joined in this order into one script."""
THEME = "theme"
"""A script in the head, so that the page does not flash in the wrong colours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """What the page shows, and how large it may get."""

    pictures: bool = True
    full: bool = False
    """Also write each picture at thumbnails.FULL pixels beside the page, for the view of one sample."""
    most: int = gallery.MOST
    """Samples that the page shows, about."""
    limit: int = thumbnails.LIMIT
    """Bytes of pictures that the page holds itself; more go into a folder beside it."""


def write(document: Mapping[str, Any], runs: Sequence[RunPictures], out: Path, options: PageOptions | None = None) -> list[str]:
    """Write the page into the report folder `out`; returns what pictures are missing, and where they were looked for.

    Args:
        document: the contents of report.json.
        runs: one for each of the document's, matched by its label.

    Raises:
        UserError: Jinja is not installed, or a score folder can't be read.
        OSError: the disk is full.
    """
    options, template = options or PageOptions(), _environment().get_template("page.html.j2")
    document = orjson.loads(orjson.dumps(document))  # which may hold dataclasses
    paths = ReportPaths(out)
    by_label = {run.label: run for run in runs}
    ordered = [by_label[run["label"]] for run in document["runs"]]
    disputed = {row["key"] for pair in document["agreement"] for row in pair["disputed"]}
    collected = gallery.collect(ordered, document["runs"], pictures=options.pictures, wanted=disputed, most=options.most)
    copies = thumbnails.make(data.pictures(collected), paths, limit=options.limit, full=options.full)
    page_data = data.PageData(collected, document["runs"], copies, full=options.full)
    edges = ([copies.edge] if copies.embedded is None else []) + ([thumbnails.FULL] if options.full else [])
    atomic.write(paths.html, _render(template, document, collected, page_data).encode())
    thumbnails.remove_others(paths, {paths.picture(name, edge) for name in page_data.names for edge in edges})
    return [*collected.warnings, *copies.unreadable]


def _render(template: Template, document: Mapping[str, Any], collected: Gallery, page_data: data.PageData) -> str:
    theme, style = _static(f"{THEME}.js"), _static("page.css")
    script = '(() => {\n"use strict";\n' + "\n".join(_static(f"{name}.js") for name in SCRIPTS) + "})();\n"
    from markupsafe import Markup

    runs = document["runs"]
    by_label = {run["label"]: run for run in runs}
    boards = view.boards(document)
    return template.render(
        policy=_policy((theme, script), style),
        style=Markup(style),
        theme=Markup(theme),
        script=Markup(script),
        data=Markup(data.encode(page_data.contents).decode()),
        embedded=None if page_data.embedded is None else Markup(data.encode(page_data.embedded).decode()),
        title=view.title(runs),
        facts=view.facts(runs),
        notices=view.notices(document, collected.notices),
        verdicts=verdict.verdicts(document),
        folded=view.FOLDED,
        runs=runs,
        boards=boards,
        leader=view.leader(runs, boards[0]),
        comparisons=[
            (comparison, by_label[comparison["runs"][0]], *view.differences(comparison))
            for comparison in document["comparisons"]
        ],
        agreement=document["agreement"],
        reliability=document["reliability"],
        statistics=formats.AGREEMENT,
        samples=len(collected.samples),
        sampled_from=collected.sampled_from,
        controls=view.CONTROLS,
        resamples=document["resamples"],
        seed=document["seed"],
        unit=Axis(0.0, 1.0),
        both=Axis(-1.0, 1.0),
        distributions=charts.distributions,
        bars=charts.bars,
        protocol=view.protocol,
        cells=view.cells,
        languages=view.languages,
        difference_axis=view.difference_axis,
    )


def _environment() -> Environment:
    try:
        import jinja2
    except ModuleNotFoundError:
        raise UserError("report.html needs jinja2", "Install it with: pip install 'editbench[report]'") from None
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: printable(value, lines=True) if type(value) is str else value,  # Markup is ours
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": formats.number,
        "signed": formats.signed,
        "span": formats.span,
        "share": lambda value: formats.share(value).replace("%", "\N{NO-BREAK SPACE}%"),
        "p_value": formats.p_value,
        "ranks": formats.ranks,
        "named": view.named,
        "counted": counted,
        "tokens": lambda value: str(Usage(**value)),
    }
    return environment


def _policy(scripts: Sequence[str], style: str) -> str:
    """The content security policy: nothing from elsewhere. `file:` and 'self' are pictures beside the page."""
    sources = " ".join(map(_hash, scripts))
    return (
        f"default-src 'none'; script-src {sources}; style-src {_hash(style)}; img-src data: 'self' file:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _static(name: str) -> str:
    return resources.files(__package__).joinpath("static", name).read_text("utf-8")
