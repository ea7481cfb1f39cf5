"""The service and the emulator, started together for tests, demonstrations and people."""
