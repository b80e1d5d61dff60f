"""Calls that wait: their rate, their CPU time, and none lost through kills."""
