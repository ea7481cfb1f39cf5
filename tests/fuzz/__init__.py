"""What is fuzzed: a target for each parser of what others write, its oracle, and the inputs that are kept."""
