"""From volumes to facts, by modality."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from models.gtgm.facts.ct import ct_facts
from models.gtgm.facts.em import em_facts
from models.gtgm.facts.fact import Fact
from models.gtgm.facts.mr import mr_facts
from models.gtgm.volume import Modality, Volume


class MixedStudy(ValueError):
    """The volumes given together are of different modalities: measure them apart."""


MEASURE: dict[Modality, Callable[[Sequence[Volume]], list[Fact]]] = {
    Modality.CT: lambda volumes: [fact for volume in volumes for fact in ct_facts(volume)],
    Modality.MR: mr_facts,
    Modality.EM: lambda volumes: [fact for volume in volumes for fact in em_facts(volume)],
}


def facts_of(volume: Volume | Sequence[Volume]) -> tuple[Fact, ...]:
    """The facts of a volume, or of the volumes of one study together.

    Depends on values, spacing, modality and sequence only, never on patient, study or source. Ids are unique: those
    of a second volume of the study end in "#2", and so on. Raises MixedStudy.
    """
    volumes = [volume] if isinstance(volume, Volume) else list(volume)
    modalities = {one.modality for one in volumes}
    if len(modalities) != 1:
        raise MixedStudy(f"{len(volumes)} volumes of modalities {sorted(modalities)}: give volumes of one modality")
    return _unique(MEASURE[modalities.pop()](volumes))


def _unique(facts: Sequence[Fact]) -> tuple[Fact, ...]:
    seen: Counter[str] = Counter()
    out = []
    for fact in facts:
        seen[fact.id] += 1
        out.append(fact if seen[fact.id] == 1 else replace(fact, id=f"{fact.id}#{seen[fact.id]}"))
    return tuple(out)
