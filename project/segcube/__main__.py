"""`python -m segcube`."""

from segcube.cli import main

main()
