"""Many tenants who ask the same things at once: is anybody ever given another's answer?"""
