"""Worth: what looking for similar answers costs and spares, and whether it should go on.

    net = Σ avoided − Σ cost,   over a window

cost     CPU time of looks, embeddings and judgements × the machine's power     [J]
avoided  the baselines of answers given                                         [J]

While nothing may be given yet, right would-be hits count as avoided: they say what it could spare.
Where net is negative over a window of enough looks, the step turns itself off for as long, then
tries again.
"""

from __future__ import annotations

# Looks in a window, before it says anything.
_ENOUGH = 200


class Worth:
    """The step's own ledger over windows of `window_s`. Times in s of one steady clock."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._since = 0.0
        self._looks = 0
        self._off_until = 0.0
        self.cost_j = self.avoided_j = 0.0
        self.reason = ""

    def spent(self, cost_j: float) -> None:
        """Something else than a look was paid for: a judgement, a question taken. [J]"""
        self.cost_j += cost_j

    def looked(self, now: float, cost_j: float) -> None:
        """A look was paid for. [J]"""
        self._looks += 1
        self.cost_j += cost_j
        if not self._since:
            self._since = now
        if now - self._since >= self._window_s:
            self._close(now)

    def spared(self, energy_j: float) -> None:
        """A call was not made, or need not have been. [J]"""
        self.avoided_j += energy_j

    def _close(self, now: float) -> None:
        if self._looks >= _ENOUGH and self.cost_j > self.avoided_j:
            self._off_until = now + self._window_s
            self.reason = (
                f"off: {self._looks} looks cost {self.cost_j:.3g} J and spared "
                f"{self.avoided_j:.3g} J; tried again in {self._window_s / 60:.0f} min"
            )
        self._since, self._looks = 0.0, 0
        self.cost_j = self.avoided_j = 0.0

    def is_off(self, now: float) -> bool:
        """Whether looking does not pay for now; `reason` says why."""
        if self.reason and now >= self._off_until:
            self.reason = ""
        return bool(self.reason)
