"""What people run by make: programs that start the service, the emulator or both, and look at them."""
