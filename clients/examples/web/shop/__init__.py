"""The back end of a shop that takes payments through payorch: an example to copy from."""
