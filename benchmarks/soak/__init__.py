"""A soak: traffic of all kinds at a steady rate, while the service's memory is watched."""
