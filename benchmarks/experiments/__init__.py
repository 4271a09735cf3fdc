"""Experiments on phantoms by segcube's own commands: a cascade against a single stage."""
