"""The findings as shapes in mm: each knows where it lies and paints itself with its mask on any grid."""

from models.phantoms.lesions.lesion import Layer, Lesion

__all__ = ["Layer", "Lesion"]
