"""Which kernels a rank's torch may choose: those that give the same bits in every run, or with `--fast` the quickest ones."""

from __future__ import annotations

import os

WORKSPACE_VARIABLE, WORKSPACE = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
"""cuBLAS gives the same bits in every run only with work space of a fixed size, which it takes from its environment when it
starts (https://docs.nvidia.com/cuda/cublas/#results-reproducibility). A size that the user has set stays."""


def settle(*, fast: bool) -> None:
    """To be called once in a process, before anything is computed on its device.

    Without `fast`: an operation that torch has no deterministic kernel for runs all the same, and warns in the rank's log; and
    float32 is float32 (by default cuDNN rounds it to TF32 on cards that have that). With `fast`: torch's own defaults, and
    cuDNN times its kernels and takes the quickest, which may be another one in the next run.
    """
    if not fast:
        os.environ.setdefault(WORKSPACE_VARIABLE, WORKSPACE)
    import torch

    torch.backends.cudnn.benchmark = fast
    if fast:
        return
    torch.use_deterministic_algorithms(True, warn_only=True)
    # By default this mode fills all new memory with NaN, for the sake of programs that read what they have not written.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
