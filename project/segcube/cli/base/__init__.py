"""What all commands share: their class, options, and how the process starts and ends."""
