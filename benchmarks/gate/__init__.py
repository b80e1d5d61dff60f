"""What the gate costs a call that no rule meets."""
