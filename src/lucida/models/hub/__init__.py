"""Models from the hub's cache, a folder on this disk, or the hub itself, whatever library made them."""
