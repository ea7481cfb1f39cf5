"""Real processes under drawn faults, judged by what Zuora and the gateway have booked."""
