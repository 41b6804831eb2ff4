"""Resumable work: a ledger of chunks, leases, commits that count once, listed failures."""
