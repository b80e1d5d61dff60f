"""The ledger: quantities, footprints, savings, SCI, and the stores that keep the book.

quantities, estimate   numbers with a unit, an interval and a basis
footprint, tokens, window, signal, entry, embodied, sci   the words the book is written in
ports                  the protocols through which strategies, meters and grids meet
memory, sqlite, postgres, writer   where the book is kept, and the way in off the hot path

Imports the standard library only; a store's driver is imported in that store's file, on use.
"""
