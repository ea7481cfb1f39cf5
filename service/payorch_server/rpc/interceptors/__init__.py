"""Interceptors of every call to our services, outermost first."""
