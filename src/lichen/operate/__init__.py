"""operate: strategy 4, the whole stack. Today: watch, the dashboard and the metrics."""
