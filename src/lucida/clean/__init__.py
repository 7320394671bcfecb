"""Find what is poor, doubled or wrongly labelled; nothing is deleted."""
