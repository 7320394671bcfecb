"""Family `embedded`: the small encoder that ships in the package, and the word table beside it."""
