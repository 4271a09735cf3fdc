"""Checkpoints of torch read as data: nothing in them is executed."""
