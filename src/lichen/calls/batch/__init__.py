"""Calls that can wait: gathered within milliseconds, or sent within hours, when the grid is clean.

options     the table [batch]
item        a call that waits; queue, shelf: items, batches and files in the ledger's database
intake      the header x-lichen-defer; stored: which headers are written down with a call
keyring     credentials, in memory alone
greenest    when each runs; pace: how fast; sender: sends each once
gather      embeddings of many callers in one call
pages       /v1/lichen/deferred; api: /v1/files and /v1/batches; offered: a provider's own batches
step        all of it, as a step of the pipeline; proof: what its lines claim
"""
