"""GTGM: text written from computed facts of a volume, pretraining on it without reports, segmentation.

In: volumes of CT, MR or EM, most without a report. Out: an encoder that has learned from them, and segmentation
networks fine-tuned from it as signed bundles. May fail: an unreadable volume, a training whose loss is not finite.
Source: GTGM, arXiv 2306.04811.
"""
