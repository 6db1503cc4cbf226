"""Layouts of edited pictures: those of public benchmarks' own scripts, plain files, and a table of paths.

Each layout is one file here and one line below, and serves both directions: `importing` (`editbench import-edits`) and
`exporting` (`editbench export`).
"""

from __future__ import annotations

from editbench.layouts.files import Files
from editbench.layouts.gedit import GEdit
from editbench.layouts.imgedit import ImgEdit
from editbench.layouts.kris import Kris
from editbench.layouts.layout import Layout
from editbench.layouts.rise import Rise

LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (Files(), GEdit(), ImgEdit(), Kris(), Rise())}
"""By name. A table (`layouts.table`) is read as well, and not written."""
