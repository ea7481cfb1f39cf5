"""JSON over HTTP and gRPC-Web through a real Envoy, and the commands in the texts."""
