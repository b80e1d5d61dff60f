"""Calls that can wait: gathered within milliseconds, or sent within hours, when the grid is clean.

options     the table [batch]
item        a call that waits; queue, outlook, shelf: what waits, in the ledger's database
intake      the header x-lichen-defer; stored: which headers are written down with a call
holding     budgets are charged when calls are taken in; holds: those charges, on disk
keyring     credentials, in memory alone
greenest    when each runs; pace: how fast; sender: sends each once
gather      embeddings of many callers in one call
pages       /v1/lichen/deferred; api: /v1/files (filing) and /v1/batches (batching)
batches     a provider's own batches, one file a provider; offering: what goes in them
step        all of it, as a step of the pipeline; proof: what its lines claim
"""
