"""Pretraining of a volume encoder without reports: two views of a volume, and text written from its computed facts.

In: volumes (phantoms, DICOM folders, NIfTI files, EM arrays) and a preset. Out: an encoder file that fine-tuning starts
from, with curves beside it. May fail: a volume that cannot be read, sizes that do not fit, a loss that is not finite.
Source: GTGM, arXiv 2306.04811, sections 3.2 and 3.3.
"""
