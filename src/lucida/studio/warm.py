"""A model that draws stays loaded between two orders: loading one may take longer than drawing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.generate import Generator, Order
    from lucida.models.spec import Model, Spec


class Warm:
    """Holds the model that was used last."""

    def __init__(self) -> None:
        self._model: Model | None = None
        self._lock = threading.Lock()

    def load(self, spec: Spec) -> Model:
        """Return the running model of a spec."""
        with self._lock:
            if self._model is None or self._model.spec.key != spec.key:
                # The memory of the one is needed for the other.
                self._model = None
                self._model = spec.load()
            return self._model

    def generator(self, order: Order, catalog: Catalog) -> Generator:
        """Return what draws an order, with the model that is loaded already.

        Raises:
            LucidaError: The order cannot be.
        """
        from lucida.generate import Generator

        return Generator(order, catalog, load=self.load)
