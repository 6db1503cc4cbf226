"""Run a command and tell its wall time and peak memory.

    python -I -S measure.py COMMAND ...     ->  {"seconds": 1.23, "peak_mb": 45.6, "status": 0}

A process of its own because Linux carries the peak memory over an exec: started straight from a big process, every command
would look at least as big as that one. It imports next to nothing (9 MB). The peak is that of the command's largest process,
not the sum of all.
"""

from __future__ import annotations

import os
import sys
import time


def main(command: list[str]) -> None:
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    began = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=silent)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - began
    peak_mb = usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    code = os.waitstatus_to_exitcode(status)
    sys.stdout.write(f'{{"seconds": {seconds:.4f}, "peak_mb": {peak_mb:.1f}, "status": {code}}}\n')


if __name__ == "__main__":
    main(sys.argv[1:])
