"""What every call of ours passes through, outermost first."""
