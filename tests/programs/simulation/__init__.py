"""Bad days on a virtual clock: the service's real parts and an emulated Zuora, checked against Zuora's books."""
