"""Errors a user can act on.

Every error says four things: what happened, what was expected, what came, and what to try.

LucidaError                     the one root: `except LucidaError` catches all of ours
├── InputError (ValueError)     an argument, file or answer is not what it must be
│   └── UnknownName             a model, class, question or option that nobody knows; names the nearest
├── ImageError                  a file that cannot be decoded as an image, or that is too large to be safe
├── CatalogError                a catalog that is missing, corrupt, newer than this program, or not writable
├── ModelError                  a model that cannot be found, built, or run
├── TrainingError               training that cannot go on; the last good weights are kept
├── MissingExtra (ImportError)  an optional package is not installed; names the command that installs it
├── PopulationTooSmall          too few images for the promise asked: label them all
└── CertificateError            a certificate that cannot be read, or does not hold
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class LucidaError(Exception):
    """Root of all errors of this package.

    Args:
        what: What happened, in a short sentence.
        expected: What was expected instead.
        got: What came.
        hint: What to try next: a command, an option, the nearest name.
    """

    def __init__(self, what: str, *, expected: str = "", got: str = "", hint: str = "") -> None:
        self.what, self.expected, self.got, self.hint = what, expected, got, hint
        super().__init__(self.message())

    def message(self) -> str:
        """Return the four parts as lines of plain text, empty parts left out."""
        parts = (("expected", self.expected), ("got", self.got), ("try", self.hint))
        return "\n".join([self.what, *(f"  {name}: {text}" for name, text in parts if text)])

    def line(self) -> str:
        """Return what happened, what came and what was expected in one line, for lists of many."""
        parts = [self.got if self.got not in self.what else "", f"expected {self.expected}" if self.expected else ""]
        more = "; ".join(part for part in parts if part)
        return f"{self.what.rstrip('.')} ({more})." if more else self.what

    def to_json(self) -> dict[str, str]:
        """Return the four parts under their names, and the class of the error."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "expected": self.expected,
            "got": self.got,
            "hint": self.hint,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions with keyword-only arguments do not survive process pools by themselves.
        return _rebuild, (type(self), self.what, self.expected, self.got, self.hint)


def _rebuild(kind: type[LucidaError], what: str, expected: str, got: str, hint: str) -> LucidaError:
    error = kind.__new__(kind)
    LucidaError.__init__(error, what, expected=expected, got=got, hint=hint)
    return error


class InputError(LucidaError, ValueError):
    """An argument, file or answer is not what it must be."""


class UnknownName(InputError):
    """A name that nobody knows; the hint lists the nearest known ones.

    Args:
        kind: What the name stands for ("model", "class", "question").
        name: The unknown name.
        known: All known names, in the order in which they should be shown.
        hint: Further advice, appended to the nearest names.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str = "") -> None:
        names = list(known)
        folded = {n.casefold(): n for n in names}
        close = [folded[n] for n in difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.5)]
        nearest = f"did you mean {' or '.join(map(repr, close))}?" if close else ""
        super().__init__(
            f"Unknown {kind} {name!r}.",
            expected=f"one of {', '.join(names[:12])}{' …' if len(names) > 12 else ''}" if names else "",
            got=repr(name),
            hint=" ".join(part for part in (nearest, hint) if part),
        )


class ImageError(LucidaError):
    """A file that cannot be decoded as an image, or that is too large to be safe."""


class CatalogError(LucidaError):
    """A catalog that is missing, corrupt, newer than this program, or not writable."""


class ModelError(LucidaError):
    """A model that cannot be found, built, or run."""


class TrainingError(LucidaError):
    """Training that cannot go on; the last good weights are kept."""


class MissingExtra(LucidaError, ImportError):
    """An optional package is not installed.

    Args:
        package: The package that could not be imported.
        extra: The extra of `camera-lucida` that brings it.
        purpose: What it is needed for.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed.",
            expected=f"the extra '{extra}'",
            got="an install without it",
            hint=f'pip install "camera-lucida[{extra}]"',
        )


class PopulationTooSmall(LucidaError):
    """Too few images for the promise asked: labelling them all costs less than proving anything."""


class CertificateError(LucidaError):
    """A certificate that cannot be read, or does not hold."""
