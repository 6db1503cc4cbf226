"""A folder with pictures, and tables written beside them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from PIL import Image


def picture(colour: str, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4), colour).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with red.png, blue.jpg, green.webp, grey.bmp and broken.png (cut short)."""
    folder = tmp_path / "work"
    folder.mkdir()
    for name, kind in [("red.png", "PNG"), ("blue.jpg", "JPEG"), ("green.webp", "WEBP"), ("grey.bmp", "BMP")]:
        (folder / name).write_bytes(picture(name.partition(".")[0], kind))
    (folder / "broken.png").write_bytes(picture("red")[:50])
    return folder


@pytest.fixture
def table(work: Path):
    """Write rows (objects, or the text of a line) as table.jsonl, .json, .csv or .tsv."""

    def write(*rows: dict | str, suffix: str = ".jsonl") -> Path:
        path = work / f"table{suffix}"
        if suffix == ".jsonl":
            path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in rows))
        elif suffix == ".json":
            path.write_text(json.dumps(rows))
        else:
            with open(path, "w", encoding="utf-8-sig", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if suffix == ".tsv" else ",")
                writer.writeheader()
                writer.writerows(rows)
        return path

    return write
