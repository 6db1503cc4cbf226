"""torchrun that tells keepers whose children they are: `python -m editbench.fleet.agent`, with torchrun's arguments.

torchrun starts the keepers itself, so nothing can be arranged between fork and exec. They ask the kernel to die with it once
they run, and must know then whose death they may have missed (see the module `process`).
"""

from __future__ import annotations

import os

from torch.distributed import run

from editbench.fleet.process import PARENT_VARIABLE

if __name__ == "__main__":
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    run.main()
