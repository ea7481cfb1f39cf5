"""Recognisable secrets are sent through the service, and everything that is written anywhere is searched for them."""
