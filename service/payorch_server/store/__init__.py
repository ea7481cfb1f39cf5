"""Keys and bytes that outlive a call, shared by all replicas or kept in this process."""
