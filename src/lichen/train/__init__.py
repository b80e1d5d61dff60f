"""Train: training from scratch, on less.

green   start, pause and resume a job when and where the grid is clean
"""
