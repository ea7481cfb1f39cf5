"""What a call costs, beside a bare echo server and bare HTTP clients: ratios, never absolute promises."""
