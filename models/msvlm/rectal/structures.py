"""What the slice encoder marks on its patches: the disease, and the layers by which its spread is staged."""

from models.phantoms.pelvis import Tissue

_WALL = (Tissue.RECTAL_GAS, Tissue.RECTAL_CONTENT, Tissue.SUBMUCOSA, Tissue.MUSCULARIS)
_IN_FAT = (Tissue.MESORECTAL_FAT, Tissue.NODE, Tissue.SUSPICIOUS_NODE, Tissue.EMVI)
STRUCTURES: dict[str, tuple[Tissue, ...]] = {
    "tumour": (Tissue.TUMOUR,),
    "suspicious node": (Tissue.SUSPICIOUS_NODE,),
    "vein with tumour": (Tissue.EMVI,),
    "submucosa": (Tissue.SUBMUCOSA,),
    "muscularis": (Tissue.MUSCULARIS,),
    "within the fascia": (*_WALL, *_IN_FAT),
    "fascia": (Tissue.MESORECTAL_FASCIA,),
    "peritoneum": (Tissue.PERITONEUM,),
    "internal sphincter": (Tissue.INTERNAL_SPHINCTER, Tissue.INTERSPHINCTERIC_FAT),
    "external sphincter": (Tissue.EXTERNAL_SPHINCTER, Tissue.LEVATOR_ANI),
    "organs": (
        *(Tissue.PROSTATE_PERIPHERAL_ZONE, Tissue.PROSTATE_TRANSITION_ZONE, Tissue.SEMINAL_VESICLE),
        *(Tissue.BLADDER_WALL, Tissue.MYOMETRIUM, Tissue.CERVIX, Tissue.VAGINA),
    ),
}
NAMES = tuple(STRUCTURES)
TUMOUR, WITHIN, FASCIA = (NAMES.index(name) for name in ("tumour", "within the fascia", "fascia"))
DISEASE = tuple(NAMES.index(name) for name in ("tumour", "suspicious node", "vein with tumour"))
