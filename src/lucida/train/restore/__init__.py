"""Restorers: networks that make images larger, or free of noise, trained from good images that are made worse."""
