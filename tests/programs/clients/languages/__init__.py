"""How each language's package is built, called and installed."""
