"""Routes: names that several models answer to, in a chain, in shares, or one after the other."""
