"""Bundles of task "staging": all series of a study are one sequence of slices, and each item is an order of levels.

In: the stacks of a study. Out: a StudyReading over all of them. May fail: as the other models of this room do.
"""
