"""One module for each target; see `fuzz.all_targets`."""
