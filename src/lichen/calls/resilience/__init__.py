"""Resilience: what lies between a call and an upstream that fails, and what bounds them both.

    call → admission (calls and bytes at once) → … → breaker → attempt → pause → attempt → standby

`options` says how much of each, `waits` reads when an upstream wants to be asked again, `retry`
decides whether a call may be sent once more, `breaker` when it is not sent at all, `standby` who is
asked instead, `resilient` puts them around an upstream, `admission` bounds what is under way.
"""
