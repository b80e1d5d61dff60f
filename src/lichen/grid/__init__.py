"""Grid: prices energy in carbon. I, the carbon intensity of a zone over time. [gCO₂e/kWh]

`zones`    static yearly intensity of countries and sub-national zones, from `zones.csv` (average)
           and `zones_marginal.csv`
`regions`  cloud regions: the zone each stands in and its PUE, from `regions.csv`
`trace`    a recorded trace of one zone
`chain`    several sources in order of preference, as one
`forecast` what a zone will be, from what it was (numpy, by the extra `grid`)

Live sources, asked over the network when they are configured:

`neso`, `electricitymaps`, `watttime` (marginal), `entsoe`, `eia`      one API each
`live`, `live_forecast`      what they do alike
`web`, `shelf`, `point`      how they are asked, kept, and looked at
`mix`                        intensity from generation by fuel

One source is one file that keeps `lichen.ledger.ports.IntensitySource`, found by the entry point
`lichen.grid` and proved by `lichen.testing.grids.IntensityContract`. Live sources
keep `lichen.testing.live_grids.LiveContract` too. Nothing here reads a network before it is asked
for what only a network knows, and no table before it is needed.
"""
