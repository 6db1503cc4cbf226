"""The public benchmarks, from their releases' own files to edits that another tool made, and out again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import public_layouts
import pytest

from editbench.benchmarks.stage import import_benchmark
from editbench.edits import Edits
from editbench.layouts.exporting import export
from editbench.layouts.importing import import_edits

from .small import fill, picture

RELEASES: dict[str, tuple[Callable[[Path], Path], dict[str, str]]] = {
    "gedit": (
        lambda root: public_layouts.gedit_parquet(root, public_layouts.gedit_rows()),
        {
            "subject-add/cn/subj0000000000000000000000000000": "fullset/subject-add/cn/subj0000000000000000000000000000.png",
            "ps_human/en/ps_h0000000000000000000000000000": "fullset/ps_human/en/ps_h0000000000000000000000000000.png",
        },
    ),
    "imgedit": (public_layouts.imgedit_folder, {"22": "22.png", "30": "30.png"}),
    "kris": (
        public_layouts.kris_folder,
        {
            "biology/1": "biology/1.jpg",
            "multi-element_composition/1": "multi-element_composition/1.jpg",
            "temporal_prediction/1": "temporal_prediction/1.jpg",
        },
    ),
    "rise": (
        public_layouts.rise_folder,
        {
            "temporal_reasoning_1": "images/temporal_reasoning/temporal_reasoning_1.png",
            "logical_reasoning_2": "images/logical_reasoning/logical_reasoning_2.png",
        },
    ),
}


@pytest.mark.parametrize("layout", RELEASES)
def test_edits_of_a_public_benchmark_come_in_and_go_out_by_the_names_of_its_scripts(layout: str, tmp_path: Path) -> None:
    release, paths = RELEASES[layout]
    import_benchmark(release(tmp_path / "release"), out=tmp_path / "bench")
    sent = {path: picture(number, "JPEG" if layout == "kris" else "PNG") for number, path in enumerate(paths.values())}
    for source, out in (("sent", "one"), ("exported", "two")):
        if out == "one":
            fill(tmp_path / "sent", sent)
        else:
            export(tmp_path / "one", layout=layout, out=tmp_path / "exported")
        about = {"layout": layout, "name": "m", "max_failures": "100%"}
        import_edits(tmp_path / "bench", tmp_path / source, out=tmp_path / out, **about)
        stored = {entry.sample.id: entry.stored for entry in Edits.open(tmp_path / out).entries if entry.stored}
        assert {name: each.read(each.edited) for name, each in stored.items()} == {
            name: sent[path] for name, path in paths.items()
        }


def test_every_input_and_the_mask_of_a_sample_stay_with_its_edit(tmp_path: Path) -> None:
    import_benchmark(public_layouts.kris_folder(tmp_path / "release"), out=tmp_path / "bench")
    fill(tmp_path / "sent", {"temporal_prediction/1.png": picture("red")})
    about = {"layout": "kris", "name": "m", "max_failures": "100%"}
    import_edits(tmp_path / "bench", tmp_path / "sent", out=tmp_path / "edits", **about)
    (stored,) = [entry.stored for entry in Edits.open(tmp_path / "edits").entries if entry.stored]
    assert sorted(stored.spans) == ["edited.png", "json", "reference.jpg", "source.jpg", "source2.jpg", "source3.jpg"]
