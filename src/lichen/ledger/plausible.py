"""What a grid's carbon intensity can be, whatever says so: beyond it lies another unit.

    LEAST ≤ max(I) ≤ MOST      over a day or more      [gCO₂e/kWh]

Coal alone emits 740 to 1,370 gCO₂e/kWh over its life cycle: more than twice that is another unit.
Below 1 is what a grid of water and wind may have where plants alone are counted, and what any grid
has in kg/kWh: whoever sees it asks for the unit.

Source: IPCC AR5 WG3, annex III, table A.III.2.
"""

from __future__ import annotations

LEAST_G_PER_KWH = 1.0
MOST_G_PER_KWH = 3_000.0
