"""Screen images by a policy in plain words: what may not be shown, and what is to be made unrecognisable."""
