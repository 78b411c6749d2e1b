"""Networks, training data and exported bundles.

`models.phantoms` needs only numpy and feeds the agent's demo; everything else here may need torch (extra `train`).
"""
