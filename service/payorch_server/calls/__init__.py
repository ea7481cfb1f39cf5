"""What is remembered, counted and logged of calls that have ended."""
