"""Segmentation networks fine-tuned from a pretrained volume encoder, or from none, with few or all labels.

In: labelled volumes, an encoder checkpoint. Out: a network, its curves and its figures (Dice, HD95; VOI and ARAND for
instances). May fail: an unreadable volume (`VolumeFault`), sizes that do not fit together, a loss that is not finite.
"""
