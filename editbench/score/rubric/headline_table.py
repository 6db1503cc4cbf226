"""From samples to the headline number: what a rubric tells the report to print.

title = "VIEScore O"                       what the benchmark itself calls the number
aggregate = "micro" | "macro" | "both"     mean over the samples alike; over the categories' means; both, micro first
percent = [offset, factor]                 score and criteria are also shown as factor * (value - offset)
accuracy = true                            share of samples whose criteria are all at the top of their range
subsets = [extras]                         the run's number is also given for the samples of which an extra field is set
[headline.pools]  NAME = [categories or pools above]     mean of all criteria of all its samples alike, one value each
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from editbench.score.rubric.tables import Table, meant

AGGREGATES = ("micro", "macro", "both")


def read(table: Table, categories: Collection[str], extras: Collection[str]) -> dict[str, Any]:
    """What a report needs to know. Raises UserError.

    {"title" where it has one, "aggregate", "percent": [offset, factor] | None, "accuracy", "pools": {name: [categories]},
    "subsets": [extras]}
    """
    aggregate = table.text("aggregate")
    if aggregate not in AGGREGATES:
        known = f"{meant(aggregate, AGGREGATES)}Known: {', '.join(AGGREGATES)}."
        raise table.fault("aggregate", f"unknown aggregate {aggregate!r}", known)
    headline = {
        **({"title": table.text("title")} if table.has("title") else {}),
        "aggregate": aggregate,
        "percent": _percent(table) if table.has("percent") else None,
        "accuracy": table.flag("accuracy"),
        "pools": _pools(table.optional("pools"), categories),
        "subsets": list(table.strings("subsets", extras, what="extra field")) if table.has("subsets") else [],
    }
    table.close()
    return headline


def _percent(table: Table) -> list[float]:
    pair = table.take("percent", list, "[offset, factor]")
    if len(pair) != 2 or any(type(value) not in (int, float) for value in pair):
        raise table.fault("percent", f"must be two numbers, [offset, factor], not {pair}")
    if not (abs(pair[0]) < 1e6 and 0 < pair[1] < 1e6):
        raise table.fault("percent", f"{pair}: the factor must be above 0, and both below a million")
    return pair


def _pools(table: Table, categories: Collection[str]) -> dict[str, list[str]]:
    """Pools with their categories; a pool of pools has the categories of all of them."""
    pools: dict[str, list[str]] = {}
    for name in table.values:
        if name in categories:
            raise table.fault(name, "is the name of a category")
        members = table.strings(name, (*categories, *pools), what="category or pool above")
        pools[name] = [category for member in members for category in pools.get(member, [member])]
        if not members or len(set(pools[name])) < len(pools[name]):
            raise table.fault(name, "must have at least one category, and each once")
    return pools
