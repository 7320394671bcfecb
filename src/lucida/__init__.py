"""Camera Lucida: image AI that sees and draws.

The library has the names of the command line: `lucida add` is `lucida.catalog.add`, `lucida label` is
`lucida.label.label`, and so on. Nothing heavy is imported until it is used.
"""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__"]
