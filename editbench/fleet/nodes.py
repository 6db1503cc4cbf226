"""Several machines: the same command on each, one of them the head."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from editbench.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """The machines of a job, and which of them (`rank`) this one is. `endpoint`: HOST:PORT on the head, which is node 0.
    `run_id` names the job; all nodes give the same."""

    count: int = 1
    rank: int = 0
    endpoint: str = ""
    run_id: str = "editbench"

    @property
    def head(self) -> bool:
        """Whether this machine is the one that plans and finishes the run."""
        return self.rank == 0

    def check(self) -> None:
        """Raises UserError for options that don't fit together."""
        if self.count < 1 or not 0 <= self.rank < self.count:
            raise UserError(
                f"--node-rank {self.rank} of --nnodes {self.count} does not exist", "Node ranks go from 0 to nnodes - 1."
            )
        host, _, port = self.endpoint.rpartition(":")
        if self.count > 1 and not (host and port.isdecimal() and int(port)):
            raise UserError(
                f"--nnodes {self.count} needs --rdzv-endpoint HOST:PORT",
                "Name the head node and a free port, the same on all nodes.",
            )

    def torchrun(self) -> list[str]:
        """The rendezvous options of torchrun."""
        if self.count == 1:
            return ["--nnodes=1", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
        return [
            f"--nnodes={self.count}",
            "--rdzv-backend=c10d",
            f"--rdzv-endpoint={self.endpoint}",
            f"--rdzv-id={self.run_id}",
            f"--rdzv-conf=is_host={str(self.head).lower()}",
            f"--local-addr={self._address()}",
        ]

    def _address(self) -> str:
        """This machine's address on the network of the head: its full name need not resolve. Sends nothing."""
        host, _, port = self.endpoint.rpartition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((host, int(port)))
            except OSError as error:
                raise UserError(
                    f"--rdzv-endpoint {self.endpoint}: {error}", "Is the head's name right, and in reach?"
                ) from None
            return probe.getsockname()[0]
