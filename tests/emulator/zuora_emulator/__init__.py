"""An emulator of the parts of Zuora that payorch uses. It is not Zuora."""
