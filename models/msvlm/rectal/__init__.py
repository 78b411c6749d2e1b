"""MS-VLM on several series of one study: rectal MR in planes, sequences and phases, and the items of its staging.

In: the readable stacks of a study, or phantoms with their truth. Out: per item the probabilities of its levels, the
weight of each slice, sentences, and a bundle of three graphs with an evaluation. May fail: NothingToRead for a study
without a readable series.
"""
