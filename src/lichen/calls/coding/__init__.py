"""Coding: bodies compressed on the wire, to clients and to upstreams.

codecs    gzip, brotli, Zstandard: made smaller, and read again within a bound
choosing  what a client takes, what of an answer is worth it
options   the table [coding]
"""
