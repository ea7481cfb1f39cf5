"""What suites and programs share: stand-ins, requests, clocks, and the service and the emulator started together."""
