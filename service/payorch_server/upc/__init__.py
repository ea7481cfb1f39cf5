"""The hub: Zuora's Universal Payment Connector calls it over HTTPS, and it drives payment gateways over gRPC."""
