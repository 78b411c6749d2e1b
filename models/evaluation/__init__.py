"""What a bundle sees, what it says and what it does not: figures with intervals, controls, baselines, plots, the card.

In come a bundle's folder and the checkpoint of its training; out go evaluation.json, evaluation.md, plots and
MODEL_CARD.md. Everything about the bundle is measured through onnxruntime, as the agent runs it.
"""
