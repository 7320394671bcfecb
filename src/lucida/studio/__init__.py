"""The web application: pages to teach and check labels, and to follow trainings, in the browser, on this machine.

The web framework takes most of a second to import, so it is imported when a page is served, not before.
"""

from __future__ import annotations

from lucida.studio.serve import serve_differences, serve_review, serve_studio

__all__ = ["serve_differences", "serve_review", "serve_studio"]
