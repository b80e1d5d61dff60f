"""What measuring a window costs, and what four trackers say of the same busy core."""
