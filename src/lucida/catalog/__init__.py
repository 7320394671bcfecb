"""What there is, who said what of it, and where it lies: images, runs, annotations, vectors.

    from lucida.catalog import Catalog, add

    add(["photos/"])
    with Catalog.open() as catalog:
        print(catalog.images.count())

Names are imported when they are used, so that `import lucida.catalog` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lucida.catalog.catalog import Catalog
    from lucida.catalog.records import Annotation, Current, CurrentObject, ImageRecord, Place, Proposals, Refusal, Run
    from lucida.catalog.verb import AddResult, add

_HOMES = {
    "AddResult": "verb",
    "Annotation": "records",
    "Catalog": "catalog",
    "Current": "records",
    "CurrentObject": "records",
    "ImageRecord": "records",
    "Place": "records",
    "Proposals": "records",
    "Refusal": "records",
    "Run": "records",
    "add": "verb",
}

__all__ = [
    "AddResult",
    "Annotation",
    "Catalog",
    "Current",
    "CurrentObject",
    "ImageRecord",
    "Place",
    "Proposals",
    "Refusal",
    "Run",
    "add",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
