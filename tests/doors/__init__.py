"""Other doors than gRPC: JSON over HTTP and gRPC-Web through a real Envoy, and commands from the texts."""
