"""Training of the starters on phantoms: python -m segcube.training.starters --out weights."""
