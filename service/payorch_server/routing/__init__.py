"""Where calls go: pure rules, and why a call would go where it would go."""
