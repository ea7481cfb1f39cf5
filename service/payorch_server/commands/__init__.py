"""What people run beside the service: routes and trace."""
