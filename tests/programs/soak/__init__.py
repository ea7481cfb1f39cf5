"""The service under load for minutes while its collector is healthy, dead, slow or refusing."""
