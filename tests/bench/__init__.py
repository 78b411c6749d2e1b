"""Figures beside named peers, taken on the same data in the same run: `python -m tests.bench`.

In: a study (real where ../shared/data is here, else a phantom). Out: a table and build/bench.json, each row saying what
was timed, on which machine, with which versions. A peer that is not installed is left out, and the output says so.
"""
