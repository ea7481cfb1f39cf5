"""Routing: rules that decide where a call goes, and explanations of their decisions. Pure."""
