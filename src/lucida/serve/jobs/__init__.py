"""Long work: accepted at once, done in free places, and gone on with after a restart."""
