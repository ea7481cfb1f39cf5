"""Changes the code that decides about money in small ways, and counts how many changes the tests notice."""
