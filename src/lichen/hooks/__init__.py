"""Hooks: where other people's frameworks call lichen while they work.

One file a framework; each is given a book, or opens the one of the settings. A hook imports its
framework on use alone, and never breaks the run it measures: what goes wrong inside it is logged.
It stands on the floor of the command line, since it puts a framework and an open book together as
a verb puts a terminal and an open book together.
"""
