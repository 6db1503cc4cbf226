"""`make gpu-table`: the README's table of what was measured on a GPU, from what the scripts beside this one wrote.

    python tests/gpu/editor.py --out tests/gpu/editor.json
    python tests/gpu/judge.py --out tests/gpu/judge.json
    make gpu-table

A file that is not there is told as not measured; so is a part of it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
BEGIN, END = "<!-- measured on a GPU: make gpu-table -->", "<!-- end -->"
NOT = "not measured"
Row = tuple[str, str]


def table(folder: Path = HERE) -> str:
    """The README's part between its marks."""
    rows = [*_editor(_read(folder / "editor.json")), *_judge(_read(folder / "judge.json"))]
    lines = ["| what | measured |", "| --- | --- |", *(f"| {what} | {value} |" for what, value in rows)]
    return "\n".join([BEGIN, *lines, END])


def update(readme: Path = README, folder: Path = HERE) -> None:
    """Write the table into the README. Raises ValueError for one without the marks."""
    text = readme.read_text("utf-8")
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"{readme} has not one part from {BEGIN} to {END}")
    readme.write_text(pattern.sub(lambda _: table(folder), text), "utf-8")


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def _editor(document: dict[str, Any]) -> Iterator[Row]:
    parts = document.get("parts", {})
    side, steps = document.get("side", 1024), document.get("steps", 40)
    what = f"`edit`, sizes of Qwen-Image-Edit-2511 (random weights), {side} x {side}, {steps} steps with CFG"
    if (loop := parts.get("loop")) is None:
        yield what, NOT
    else:
        plain, ours = (_spread(loop["seconds_an_image"][name]) for name in ("plain", "editbench"))
        same = "same bytes in every run" if loop["same_bytes_in_every_run"] else "OTHER BYTES in another run"
        yield f"{what}: {document['device']}", f"{ours} s an image, {loop['share_of_floor']:.0%} of the floor; {same}"
        yield "the same by a bare loop of diffusers; ratio", f"{plain} s an image; {loop['ratio']:.3f}"
        yield "peak memory", "-" if loop["peak_memory_gib"] is None else f"{loop['peak_memory_gib']:.1f} GiB"
    yield from _variants("attention kernel, ms a forward pass (PSNR against native)", parts.get("kernels"), "ms_a_pass", " ms")
    yield from _variants("`--compile`, ms a forward pass (PSNR against plain)", parts.get("compile"), "ms_a_pass", " ms")
    yield from _variants("`--cache`, seconds an image (PSNR against none)", parts.get("caches"), "seconds", " s")


def _variants(what: str, part: dict[str, Any] | None, unit: str, suffix: str) -> Iterator[Row]:
    measured = {name: each for name, each in (part or {}).items() if isinstance(each, dict) and unit in each}
    told = [
        f"{name} {each[unit]:.3g}{suffix}" + (f" ({each['psnr_db']:.0f} dB)" if each.get("psnr_db") else "")
        for name, each in measured.items()
    ]
    yield what, ", ".join(told) or NOT


def _judge(document: dict[str, Any]) -> Iterator[Row]:
    shapes = document.get("shapes", {})
    for shape in shapes or ("30b-a3b", "8b"):
        for readout in ("expected", "generate"):
            what = f"`score --readout {readout}`, sizes of Qwen3-VL {shape} (random weights), pairs a second by batch size"
            found = [entry for entry in shapes.get(shape, {}).get(readout, ()) if "pairs_a_second" in entry]
            told = [f"{one['batch']}: {one['pairs_a_second']:.3g} ({one['share_of_floor']:.0%} of the floor)" for one in found]
            yield what + (f": {document['device']}" if found else ""), ", ".join(told) or NOT


def _spread(values: list[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.3g}" if f"{low:.3g}" == f"{high:.3g}" else f"{low:.3g} to {high:.3g}"


if __name__ == "__main__":
    update()
    sys.stdout.write(f"{README}\n")
