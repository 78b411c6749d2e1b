"""Label efficiency: what pretraining is worth where few labels are there.

In: data sets of a registry, arms (ways to start the encoder), shares of the labels, seeds. Out: tables in Markdown and
JSON with bootstrap intervals. May fail: a data set that is not there is named and left out.
"""
