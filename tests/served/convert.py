"""convert_hf_to_gguf.py for a tokenizer that it does not know: `convert.py LLAMA_CPP PACKAGES CHECKPOINT ...`."""

from __future__ import annotations

import importlib
import runpy
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    source, packages = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
    sys.path[:0] = [str(source), str(source / "gguf-py"), str(packages)]
    importlib.import_module("conversion.base").TextModel.get_vocab_base_pre = lambda *_: "qwen2"
    vocabulary = importlib.import_module("gguf").SpecialVocab
    add_to_gguf = vocabulary.add_to_gguf

    def with_merges(self: Any, *arguments: Any, **options: Any) -> None:
        # A vocabulary without merges gives a file that does not load; no text has these two bytes.
        self.merges = self.merges or ["ÿ ÿ"]
        add_to_gguf(self, *arguments, **options)

    vocabulary.add_to_gguf = with_merges
    sys.argv[0] = str(source / "convert_hf_to_gguf.py")
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
