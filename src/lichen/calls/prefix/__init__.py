"""Prefix: lets a provider keep the prompt prefixes that come again, where a rule asks for it.

step    the step `prefix`: marks a call's prefix where that pays, and books what it spared
memory  which prefixes were seen, how often each kind comes again, which are held
worth   which edges to mark, priced in money and Wh before acting
proof   `lichen prove` for its lines
"""

from __future__ import annotations
