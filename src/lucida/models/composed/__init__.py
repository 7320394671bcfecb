"""Two models as one: what one finds, the other outlines."""
