"""What a gateway costs per call: lichen beside bare programs (the limits) and a peer."""
