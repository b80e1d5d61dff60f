"""Gauge words: what each gauge on /metrics counts, and in which unit.

Gauges are of this service alone. Those that count "since the start" only grow: their names end in
`_total`, they are told as counters, and fall to 0 when the service starts again. A gauge of a
plug-in that is not here is told by its name.

Source: Prometheus, "Metric and label naming": base units, a help text for each metric, and
`_total` at the end of a counter's name.
"""

from __future__ import annotations

_SINCE = "since the start"
_DRY = "that a rule or budget in dry run would have"

GAUGES = {
    "lichen_answers": "Answers kept for the exact cache [answer].",
    "lichen_answer_memory_bytes": "Kept answers that are held in memory [byte].",
    "lichen_ledger_waiting_entries": "Lines that wait to be written into the ledger [entry].",
    # What is under way.
    "lichen_calls_under_way": "Calls that are being answered now [call].",
    "lichen_calls_tenants": "Tenants with calls under way now [tenant].",
    "lichen_calls_held_bytes": "Requests and whole answers of calls under way [byte].",
    "lichen_calls_refused_total": (
        f"Calls told to come again, since too much was under way, {_SINCE} [call]."
    ),
    "lichen_client_connections": "Connections of clients that are open now [connection].",
    "lichen_client_connections_refused_total": (
        f"Connections closed at once, being too many, {_SINCE} [connection]."
    ),
    "lichen_client_slow_readers_total": (
        f"Clients left, since they read too slowly, {_SINCE} [connection]."
    ),
    "lichen_requests_held_bytes": "Bodies of requests that are coming in or are held now [byte].",
    # What was done about upstreams, by provider.
    "lichen_upstream_retries_total": f"Tries after the first one, {_SINCE} [try].",
    "lichen_upstream_held_back_total": (
        f"Calls not sent, since the upstream was failing, {_SINCE} [call]."
    ),
    "lichen_upstream_fallbacks_total": (
        f"Calls that another upstream answered instead, {_SINCE} [call]."
    ),
    "lichen_upstream_breaker_open": "Whether the upstream is left alone now: 1 or 0 [1].",
    "lichen_upstream_breaker_opened_total": (
        f"Times that the upstream was left alone, {_SINCE} [time]."
    ),
    "lichen_upstream_storms": (
        "Keys with a model that are held back now, for too many calls [pair]."
    ),
    # Answers shared with other services.
    "lichen_shared_cache_up": "Whether the cache that services share is asked now: 1 or 0 [1].",
    "lichen_shared_cache_found_total": f"Answers found in the shared cache, {_SINCE} [answer].",
    "lichen_shared_cache_missed_total": (
        f"Answers looked for there and not found, {_SINCE} [answer]."
    ),
    "lichen_shared_cache_unshared_total": (
        f"Answers not put there, being too long or while it was lost, {_SINCE} [answer]."
    ),
    # The gate.
    "lichen_gate_answered_calls_total": f"Calls that rules answered, {_SINCE} [call].",
    "lichen_gate_refused_calls_total": f"Calls that rules refused, {_SINCE} [call].",
    "lichen_gate_shared_calls_total": (
        f"Calls given the answer of the same call just before, {_SINCE} [call]."
    ),
    "lichen_gate_capped_calls_total": f"Calls whose limits rules lowered, {_SINCE} [call].",
    "lichen_gate_cut_calls_total": f"Calls whose oldest turns rules left out, {_SINCE} [call].",
    "lichen_gate_dry_calls_total": f"Calls {_DRY} acted on, {_SINCE} [call].",
    "lichen_gate_dry_energy_joules_total": f"Energy {_DRY} spared, best estimate, {_SINCE} [J].",
    "lichen_gate_over_budget_calls_total": f"Calls refused, being over a budget, {_SINCE} [call].",
    "lichen_gate_dry_over_budget_calls_total": (
        f"Calls {_DRY} refused, being over it, {_SINCE} [call]."
    ),
    "lichen_gate_cascade_asked_calls_total": (
        f"Calls that a smaller model was asked first, {_SINCE} [call]."
    ),
    "lichen_gate_cascade_given_calls_total": (
        f"Calls that the smaller model's answer was given to, or would have been, {_SINCE} [call]."
    ),
    "lichen_gate_cascade_compared_calls_total": (
        f"Calls that asked both models, to learn, {_SINCE} [call]."
    ),
    # Similar questions.
    "lichen_similar_questions": "Questions kept, to be compared with [question].",
    "lichen_similar_scopes": "Groups of calls alike in all but the question [group].",
    "lichen_similar_looks_total": f"Looks for a like question, {_SINCE} [look].",
    "lichen_similar_looks_without_embedding_total": (
        f"Looks that the words alone ended: nothing was like it, {_SINCE} [look]."
    ),
    "lichen_similar_looks_left_out_total": (
        f"Looks left out, since too many waited, {_SINCE} [look]."
    ),
    "lichen_similar_hits_total": f"Answers of like questions that were given, {_SINCE} [answer].",
    "lichen_similar_withheld": "Answers it would have given, but for the holdout [answer].",
    "lichen_similar_would_be_hits": "Answers that would have been given in the shadow [answer].",
    "lichen_similar_verified": (
        "Stored answers compared with the upstream's own, at the score from which they are given "
        "or soonest would be [answer]."
    ),
    "lichen_similar_wrong": "Of those verified, the ones that said something else [answer].",
    "lichen_similar_certified": (
        "Learners whose evidence allows answers within the error asked, now [learner]."
    ),
    "lichen_similar_off": "Whether it is off now, costing more energy than it spares: 1 or 0 [1].",
    "lichen_similar_cpu_seconds_total": f"CPU time of looking and learning, {_SINCE} [s].",
    "lichen_similar_told_total": (
        f"Questions told to services that share the cache, {_SINCE} [question]."
    ),
    "lichen_similar_heard_total": f"Questions taken up from those services, {_SINCE} [question].",
    "lichen_similar_unreadable_total": (
        f"Lines of those services that were no questions, {_SINCE} [line]."
    ),
    # Shorter prompts.
    "lichen_compress_calls_total": f"Calls whose prompt was shortened, {_SINCE} [call].",
    "lichen_compress_tokens_before_total": f"Tokens of their texts as they came, {_SINCE} [token].",
    "lichen_compress_tokens_after_total": f"Tokens of their texts as they went, {_SINCE} [token].",
    "lichen_compress_closed_routes": "Routes on which shortening turned itself off [route].",
    # Prefixes that a provider keeps.
    "lichen_prefix_marked_calls_total": (
        f"Calls whose prefix was marked to be kept, {_SINCE} [call]."
    ),
    "lichen_prefix_written_tokens_total": (
        f"Tokens that those calls wrote to a cache, {_SINCE} [token]."
    ),
    "lichen_prefix_read_tokens_total": (
        f"Tokens that those calls read from a cache, {_SINCE} [token]."
    ),
    "lichen_prefix_remembered": "Prefixes remembered, to see whether they come again [prefix].",
    # Calls that wait.
    "lichen_deferred_waiting_calls": "Calls that wait for their time [call].",
    "lichen_deferred_sending_calls": "Calls that waited and are being sent [call].",
    "lichen_deferred_undelivered_calls": (
        "Calls that waited and ended, answered, failed or cancelled, and are still kept [call]."
    ),
    "lichen_deferred_keyless_calls": (
        "Calls that wait for their caller to show its key again [call]."
    ),
    "lichen_deferred_nearest_deadline_seconds": (
        "From now to the nearest deadline of a call that waits; below 0 once it passed [s]."
    ),
    "lichen_gathered_calls_total": f"Calls for embeddings that went with others, {_SINCE} [call].",
    "lichen_gathered_upstream_calls_total": f"Calls upstream that they became, {_SINCE} [call].",
}
