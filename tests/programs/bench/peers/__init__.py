"""Servers that do what an engineer would write in a day, to compare with: in Python, Node.js and Go."""
