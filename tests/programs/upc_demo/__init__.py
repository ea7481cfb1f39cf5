"""The hub between Zuora and a payment gateway, shown from all sides."""
