"""Clock, lifecycle and file watching: no payment vocabulary."""
