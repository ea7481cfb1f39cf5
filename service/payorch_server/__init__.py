"""The payorch service: gRPC in, Zuora's REST API out."""
