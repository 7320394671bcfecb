"""`python -m lucida`, as launchers of several processes start it."""

from lucida.cli import main

main()
