"""How sharp a CT reconstruction kernel is, from the names vendors give them."""

import re
from enum import IntEnum


class Sharpness(IntEnum):
    """Sharpness of a kernel; a smaller value suits soft tissue better."""

    SOFT = 0
    UNKNOWN = 1
    SHARP = 2


_SOFT = ("STANDARD", "STND", "SOFT", "CHST", "SMOOTH", "BODY")
_SHARP = ("LUNG", "BONE", "EDGE", "DETAIL", "SHARP", "ULTRA")
_SIEMENS = re.compile(r"^[A-Z][A-Z]?(\d\d)[A-Z]?$")
"""B30f, I70f, Br40d, Bl57: the number grows with sharpness; 45 lies between body and lung kernels."""
_CANON = re.compile(r"^FC(\d\d)$")
"""FC01 to FC19 body, FC30 to FC39 and FC50 to FC89 bone and lung."""
_PHILIPS = {"A": Sharpness.SOFT, "B": Sharpness.SOFT, "C": Sharpness.SOFT}
_PHILIPS |= dict.fromkeys(("D", "E", "L", "YA", "YB", "YC", "YD"), Sharpness.SHARP)


def sharpness_of(kernel: str) -> Sharpness:
    """Sharpness of a Convolution Kernel (0018,1210); of several values the first counts. PS3.3 C.8.2.1.1.8."""
    name = kernel.split("\\")[0].strip().upper()
    if any(word in name for word in _SHARP):
        return Sharpness.SHARP
    if any(word in name for word in _SOFT):
        return Sharpness.SOFT
    if found := _CANON.match(name):
        return Sharpness.SOFT if int(found[1]) < 20 else Sharpness.SHARP
    if found := _SIEMENS.match(name):
        return Sharpness.SOFT if int(found[1]) <= 45 else Sharpness.SHARP
    return _PHILIPS.get(name, Sharpness.UNKNOWN)
