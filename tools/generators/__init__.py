"""How each language's code is generated from the descriptors."""
