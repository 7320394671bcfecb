"""Export: labels, images and the certificate, in forms that other programs read.

`export` is the verb; `duplicates` finds near-identical images and `splits` keeps them together.
"""

from __future__ import annotations

from lucida.export.verb import ExportResult, export

__all__ = ["ExportResult", "export"]
