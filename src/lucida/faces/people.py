"""Whose face: a vector beside the faces that a person has named."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.errors import InputError, UnknownName
from lucida.faces.records import LIKENESS
from lucida.faces.store import FaceStore, kept_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERHAPS: Final = 0.1  # cosine below the likeness, from which a face may be someone's


class People:
    """Those whose faces were named.

    Args:
        names: Of each, once.
        means: Mean of the unit vectors of each, float32 (n, d).
        likeness: Average cosine from which a face is someone's.
        recogniser: Name and revision of the model whose vectors these are.
    """

    def __init__(
        self,
        names: Sequence[str],
        means: NDArray[np.float32],
        likeness: float = LIKENESS,
        recogniser: tuple[str, str] = ("sface", ""),
    ) -> None:
        self.names, self.likeness, self.recogniser = tuple(names), likeness, recogniser
        self._means = means

    @property
    def digest(self) -> str:
        """What changes whenever somebody may be taken for somebody else."""
        said = f"{self.names} {self.likeness}".encode() + self._means.tobytes()
        return hashlib.sha256(said).hexdigest()[:12]

    def are(self, vectors: NDArray[np.float32], wanted: Sequence[str], *, perhaps: bool = False) -> NDArray[np.bool_]:
        """Tell which faces are of some people.

        Args:
            vectors: Of length one, float32 (n, d).
            wanted: Their names.
            perhaps: Count those that may be theirs as well.
        """
        if not len(vectors):
            return np.zeros(0, bool)
        cosines = vectors @ self._means.T
        theirs = np.array([name in wanted for name in self.names])
        enough = self.likeness - (PERHAPS if perhaps else 0.0)
        # For one who is perhaps meant it does not matter that somebody else is likelier.
        others = cosines[:, ~theirs].max(axis=1, initial=-1.0) if not perhaps else np.full(len(vectors), -1.0)
        best = cosines[:, theirs].max(axis=1, initial=-1.0)
        return np.asarray((best >= enough) & (best >= others))


def people_of(catalog: Path | None, wanted: Sequence[str]) -> People:
    """Return those whose faces a catalog knows by name.

    Args:
        catalog: Its folder; None where there is no catalog.
        wanted: Names that must be among them.

    Raises:
        InputError: It keeps no faces.
        UnknownName: Nobody has one of these names.
    """
    file = kept_at(catalog) if catalog is not None else None
    if file is None or not file.is_file():
        raise InputError(
            f"Nobody knows what {' or '.join(wanted)} looks like.",
            expected="a catalog whose faces were grouped and named",
            got=f"no faces in {catalog}" if catalog else "no catalog",
            hint='lucida faces --group --consent, then --name "3=Anna"',
        )
    store = FaceStore(file)
    names, facts = store.names(), store.facts()
    known: dict[str, list[NDArray[np.float32]]] = {}
    for face in store.faces():
        if face.vector is not None and (name := face.name(names)):
            known.setdefault(name, []).append(face.vector)
    for name in wanted:
        if name not in known:
            raise UnknownName("person", name, sorted(known), hint='lucida faces --name "3=Anna" names a group')
    order = sorted(known)
    means = np.stack([np.mean(known[name], axis=0) for name in order]).astype(np.float32)
    return People(order, means, float(facts["likeness"]), (facts["recogniser"], facts["telling"]))
