"""Models behind an address: images in, typed answers out, limits before anything is decoded.

The web framework takes most of a second to import, so it is imported when something is served, not before.
"""
