"""`python -m segcube.cli`."""

from segcube.cli.app import main

main()
