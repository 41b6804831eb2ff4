"""Evaluation protocols: pair lists, the ledger of people, results and their report.

Submodules are imported by name; nothing here needs more than numpy until a report is drawn.
"""
