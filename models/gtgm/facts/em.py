"""Facts of an electron-microscopy volume: membranes, the objects between them, their shapes and directions.

Membranes are dark, as in stained FIB-SEM and serial-section images. Objects come from a cheap over-segmentation: what
lies between the membranes, cut where it is narrow (distance transform), so neighbours that touch are parted and large
cells may fall into several objects. It describes texture; it segments nothing.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.gtgm.facts.fact import Fact, Kind
from models.gtgm.facts.grid import Mask, Spacing, Values, blocks, scaled
from models.gtgm.facts.threshold import between_classes
from models.gtgm.volume import Volume

WORKING_VOXELS = 110
"""Along the longest axis: larger volumes are averaged or cut to their middle."""
SMOOTH_VOXELS = 0.8
SURROUNDINGS_VOXELS = 5.0
CORE_SHARE = 0.45
"""Objects are cut where they are narrower than this share of a typical object's radius."""
NM = 1e6
"""Nanometres in a millimetre."""
AXES = ("z", "y", "x")
SMALLEST_OBJECT_VOXELS = 30
DENSE_BODY_RADIUS_VOXELS = 3.0


def em_facts(volume: Volume) -> list[Fact]:
    """Facts of an EM volume; intensities are relative to the volume's own."""
    values, step_mm = _working(volume)
    step_nm = tuple(mm * NM for mm in step_mm)
    z, y, x = step_nm
    dark = values < between_classes(values)
    # Cytoplasm is uneven: a membrane is also darker than what lies about it.
    membrane = dark & (values < ndimage.gaussian_filter(values, SURROUNDINGS_VOXELS))
    facts = [
        Fact("voxel.z", Kind.VOXEL, volume.spacing_mm[0] * NM, "nm", ""),
        Fact("field", Kind.FIELD, float(np.prod(volume.extent_mm)) * NM**3 / 1e9, "µm³"),
        Fact("membrane_share", Kind.MEMBRANE_SHARE, 100.0 * float(membrane.mean()), "%"),
    ]
    if membrane.all() or not membrane.any():
        return facts
    spread = float(values.std())
    facts.append(
        Fact(
            "membrane_contrast",
            Kind.MEMBRANE_CONTRAST,
            float(values[~membrane].mean() - values[membrane].mean()) / spread,
        )
    )
    facts += _objects(membrane, (z, y, x)) + _direction(values, (z, y, x))
    return facts + _dense_bodies(dark, (z, y, x))


def _working(volume: Volume) -> tuple[Values, Spacing]:
    """Smoothed values of at most WORKING_VOXELS along each axis: averaged in blocks up to two voxels, then cut."""
    factors = tuple(2 if count >= 2 * 48 else 1 for count in volume.values.shape)
    z, y, x = factors
    values = np.nan_to_num(blocks(volume.values, (z, y, x)), posinf=0.0, neginf=0.0)
    box = tuple(
        slice(max(0, (count - WORKING_VOXELS) // 2), max(0, (count - WORKING_VOXELS) // 2) + WORKING_VOXELS)
        for count in values.shape
    )
    return ndimage.gaussian_filter(values[box], SMOOTH_VOXELS), scaled(volume.spacing_mm, (z, y, x))


def over_segmented(membrane: Mask, step_nm: Spacing) -> NDArray[np.int32]:
    """The number of the object of every voxel, 0 in membranes and in what is too small."""
    inside = np.asarray(ndimage.distance_transform_edt(~membrane, step_nm), np.float32)
    deep = inside[inside > 0.0]
    if deep.size == 0:
        return np.zeros(membrane.shape, np.int32)
    core = inside > CORE_SHARE * float(np.percentile(deep, 90.0))
    label, _ = ndimage.label(core)
    nearest = ndimage.distance_transform_edt(label == 0, step_nm, return_distances=False, return_indices=True)
    grown: NDArray[np.int32] = np.where(membrane, 0, label[tuple(nearest)]).astype(np.int32)
    return grown


def _objects(membrane: Mask, step_nm: Spacing) -> list[Fact]:
    label = over_segmented(membrane, step_nm)
    sizes = np.bincount(label.ravel())
    numbers = np.flatnonzero(sizes >= SMALLEST_OBJECT_VOXELS)
    numbers = numbers[numbers > 0]
    if len(numbers) == 0:
        return []
    voxel = float(np.prod(step_nm))
    volumes = sizes[numbers] * voxel
    diameters = (6.0 * volumes / np.pi) ** (1.0 / 3.0)
    field = membrane.size * voxel / 1e9
    return [
        Fact("object_density", Kind.OBJECT_DENSITY, len(numbers) / field, "/µm³"),
        Fact("object_diameter", Kind.OBJECT_DIAMETER, float(np.median(diameters)), "nm"),
        Fact("largest_object", Kind.LARGEST_OBJECT, float(volumes.max()) / 1e9, "µm³"),
        Fact("object_elongation", Kind.OBJECT_ELONGATION, float(np.median(_elongations(label, numbers, step_nm)))),
    ]


def _elongations(label: NDArray[np.int32], numbers: NDArray[np.intp], step_nm: Spacing) -> NDArray[np.float64]:
    """Longest over shortest axis of the ellipsoid of each object's second moments."""
    places = np.nonzero(label)
    at = label[places]
    count = np.bincount(at)
    mm = [axis * step for axis, step in zip(places, step_nm, strict=True)]
    means = [np.bincount(at, part)[numbers] / count[numbers] for part in mm]
    moments = np.empty((len(numbers), 3, 3))
    for i in range(3):
        for j in range(3):
            mixed = np.bincount(at, mm[i] * mm[j])[numbers] / count[numbers]
            moments[:, i, j] = mixed - means[i] * means[j] + (i == j) * step_nm[i] ** 2 / 12.0
    axes = np.sqrt(np.maximum(np.linalg.eigvalsh(moments), 1e-9))
    return np.asarray(axes[:, 2] / axes[:, 0])


def _direction(values: Values, step_nm: Spacing) -> list[Fact]:
    """The axis along which the image changes least, and how much less: from the structure tensor of the whole volume.

    Strength is the fractional anisotropy of the tensor's inverse directions: 0 the same in all, 1 in one only.
    """
    if min(values.shape) < 2:
        return []
    slopes = [np.gradient(values, step, axis=axis).ravel() for axis, step in enumerate(step_nm)]
    tensor = np.array([[float(one @ other) for other in slopes] for one in slopes])
    power, directions = np.linalg.eigh(tensor)
    total = float(np.sqrt((power**2).sum()))
    if total <= 0.0:
        return []
    strength = float(np.sqrt(1.5 * ((power - power.mean()) ** 2).sum())) / total
    axis = AXES[int(np.argmax(np.abs(directions[:, 0])))]
    return [
        Fact("orientation", Kind.ORIENTATION, axis),
        Fact("orientation_strength", Kind.ORIENTATION_STRENGTH, strength),
    ]


def _dense_bodies(dark: Mask, step_nm: Spacing) -> list[Fact]:
    """Dark pieces much thicker than a membrane, such as mitochondria: their share of the volume."""
    thick = np.asarray(ndimage.distance_transform_edt(dark), np.float32) > DENSE_BODY_RADIUS_VOXELS
    reach = ndimage.binary_dilation(thick, iterations=int(DENSE_BODY_RADIUS_VOXELS)) & dark
    return [Fact("dense_bodies", Kind.DENSE_BODIES, 100.0 * float(reach.mean()), "%")]
