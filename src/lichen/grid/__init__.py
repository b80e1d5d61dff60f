"""Grid: prices energy in carbon. I, the carbon intensity of a zone over time. [gCO₂e/kWh]

`zones`    static yearly intensity of countries and sub-national zones, from `zones.csv` (average)
           and `zones_marginal.csv`
`regions`  cloud regions: the zone each stands in and its PUE, from `regions.csv`
`trace`    a recorded trace of one zone
`chain`    several sources in order of preference, as one
`forecast` what a zone will be, from what it was (numpy, by the extra `grid`)

One source is one file that keeps `lichen.ledger.ports.IntensitySource`, found by the entry point
`lichen.grid` and proved by `lichen.testing.grids.IntensityContract`. Nothing here reads a network,
and no table is read before it is asked for.
"""
