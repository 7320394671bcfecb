"""Search: by words, by images, by both, by what was written or read; one ranking that says why."""
