"""Training of the starters on phantoms."""
