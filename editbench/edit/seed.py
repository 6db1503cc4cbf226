"""The seed that a sample is edited with."""

from __future__ import annotations

import hashlib


def seed_of(seed: int, key: str) -> int:
    """The sample's own seed, 0 <= s < 2**63: adding, dropping or reordering samples changes no other sample's."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8], "big") >> 1
