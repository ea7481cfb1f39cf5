"""Services restarted one after the other under steady load, as Kubernetes rolls a Deployment."""
