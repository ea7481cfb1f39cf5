"""The running process: what it is made of, and how it starts, reloads and ends."""
