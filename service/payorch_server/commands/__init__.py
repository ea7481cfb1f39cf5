"""The commands beside serve: routes and trace."""
