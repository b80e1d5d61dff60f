"""Green training: start, pause and resume a job when the grid is clean.

order       what a user asks for: a command, a duration, a deadline
record      what is kept of a job: state, plan, stretches really run
queue       the durable queue, in the ledger's SQLite file
planning    a forecast asked for with a limit, checked, and planned over
driver      one job, step by step, on any executor
runner      drives jobs until they end, and takes over those whose runner died
executor    the protocol of executors; local, slurm, kubernetes, at: one file each
keeper      the small process between runner and command: writes its end down, whatever happens
wait        `wait_until_green()`, for schedulers that have their own queue
account     what a job used and would have used, priced; kept whole in its entry
settle      what waiting was worth, once it is known what the grid emitted
worth       its share of the promise and of the oracle
proof       a settlement run again, for `lichen prove`
pausable    `with pausable(save) as p`, inside a training; callbacks for Trainer and Lightning

A job is started once. What is started, and how it ended, is on disk before anything relies on it.
"""
