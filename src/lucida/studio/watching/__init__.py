"""What a server says of itself, for the Watch page."""

from lucida.studio.watching.site import Watching

__all__ = ["Watching"]
