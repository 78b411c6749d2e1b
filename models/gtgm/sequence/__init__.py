"""GTGM's text and negative-free term for MS-VLM: the study reader learns from slice tokens of studies without a report.

In: the slice encoder of a bundle, and phantoms. Out: a reader whose relation and Z-former have learned that two views
of a study, and the text of its computed facts, belong together; and a measurement of what that gives the findings when
few studies have a report. May fail: a study without text, a loss that is not finite, an encoder without windows.
Source: GTGM (arXiv 2306.04811) on the tokens of MS-VLM (arXiv 2412.13558).
"""
