"""How much is measured: the standard evaluation, and the quick one that shows that everything runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Amounts:
    """Numbers of studies; what costs more is measured on fewer."""

    studies: int
    evidence_studies: int
    """With a located finding; leave-slices-out passes the reader once per slice."""
    faithful_studies: int
    """For deletion, insertion and randomised weights."""
    thin_studies: int
    """Phantoms read again at 1 mm, of some 400 slices each."""
    thick_studies: int
    """Phantoms read again at 5 mm."""
    implanted_studies: int
    variant_studies: int
    """For the slice encoder in lower precision."""


def standard(studies: int) -> Amounts:
    """The evaluation whose figures go into the card."""
    return Amounts(
        studies=studies,
        evidence_studies=min(studies, 120),
        faithful_studies=min(studies, 40),
        thin_studies=min(studies, 24),
        thick_studies=min(studies, 60),
        implanted_studies=min(studies, 60),
        variant_studies=min(studies, 60),
    )


def quick(studies: int) -> Amounts:
    """A few studies of each kind; its intervals are wide and say so."""
    few = min(studies, 24)
    return Amounts(few, few, 6, 4, 8, 8, 8)
