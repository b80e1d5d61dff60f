"""Meter: reads energy. E, and the embodied carbon M of the hardware that was held.

tokens                          a model call, from its tokens; token_factors, token_physics and
                                token_coefficients: what a token takes; models: how large a model is
process, power, host, family    a process and what it started, from its CPU time
rapl, nvml                      the counters of this machine; shares: one process's part of them
gauges, discovery, windows      all of them side by side, at the ends of a measured window
shared                          one process's energy among the calls it serves at the same time
command, job                    a program run and measured; a job's cards and CPU time
making                          embodied carbon of hardware, from a sourced table
replay                          a meter's readings kept, and given again
"""
