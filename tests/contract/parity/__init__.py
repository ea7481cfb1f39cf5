"""The same requests to the emulator and to a sandbox of Zuora, and a report of where the answers differ."""
