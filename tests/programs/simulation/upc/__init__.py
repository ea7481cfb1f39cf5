"""The hub on a virtual clock: its real core, Zuora's rules and gateways' books, checked against each other."""
