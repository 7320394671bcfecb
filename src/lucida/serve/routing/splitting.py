"""Which arm of a route a key belongs to: always the same, and as few as can be move when weights change.

Each arm draws a number for the key, and the weight makes a large one more likely (weighted rendezvous hashing). A key
moves only to an arm whose weight grew relative to that of the arm it leaves: with two arms, or when one weight alone
changes, just the share that must move.

Source: Thaler & Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM Transactions on Networking
1998; Schindelhauer & Schomaker, "Weighted distributed hash tables", SPAA 2005.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import sha256


def choose(weights: Mapping[str, float], salt: str, key: str) -> str:
    """Return the arm of a key.

    Args:
        weights: Of each arm, at least 0, and one above it.
        salt: Keys of routes with different salts are split independently.
        key: Whose arm it is.
    """
    best, most = next(iter(weights)), -1.0
    for arm, weight in weights.items():
        if weight > 0 and (drawn := weight / -math.log(_uniform(salt, arm, key))) > most:
            best, most = arm, drawn
    return best


def _uniform(*parts: str) -> float:
    """Return a number between 0 and 1, both excluded, that follows from texts."""
    # The lengths keep "a" + "bc" apart from "ab" + "c".
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return (int.from_bytes(sha256(text.encode(errors="surrogatepass")).digest()[:6]) + 0.5) / 2**48
