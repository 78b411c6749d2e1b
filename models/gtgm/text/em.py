"""What is said of an electron-microscopy volume."""

from models.gtgm.text.grammar import Rule, Topic

TECHNIQUE = Topic(
    "technique",
    (
        (
            Rule.of(
                "voxel.z field",
                "[Electron microscopy with a step of {0} covers {1}|EM block sampled at {0}: {1}"
                "|Voxels of {0} fill a volume of {1}].",
            ),
        ),
        (Rule.of("field", "[The EM block covers|The imaged volume is|Electron microscopy field of] {0}."),),
    ),
)

MEMBRANES = Topic(
    "membranes",
    (
        (
            Rule.of(
                "membrane_share",
                "[Membranes and other dark matter are {0w}, {0} of the volume|{0w} membranes fill {0}"
                "|Dark membranes take {0} of the volume].",
            ),
            Rule.of(
                "membrane_contrast",
                "[Contrast between membranes and interior is|Membranes stand out by] {0} [spreads|SD].",
            ),
        ),
        (
            Rule.of(
                "membrane_share membrane_contrast",
                "[Membranes, {0w}, fill {0} and stand out by {1} standard deviations"
                "|{0} of the volume is membrane, with a contrast of {1}].",
            ),
        ),
    ),
)

OBJECTS = Topic(
    "objects",
    (
        (
            Rule.of(
                "object_density object_diameter",
                "[Cell profiles: {0}, [with|of] a median diameter of {1}"
                "|Compartments number {0} and are {1w}, {1} in the median].",
            ),
            Rule.of(
                "object_elongation", "[Their shape is {0w}, {0} times as long as thin|Aspect ratio {0}, {0w} shapes]."
            ),
        ),
        (
            Rule.of(
                "object_diameter object_elongation",
                "[Objects are {0w}, {0} in diameter, and {1w}, {1} times as long as thin"
                "|Between the membranes lie {0w} compartments of {0} with {1w} shape (ratio {1})].",
            ),
            Rule.of("largest_object>0", "[The largest [object|compartment] holds|The biggest fills] {0}."),
        ),
    ),
)

DIRECTION = Topic(
    "direction",
    (
        (
            Rule.of(
                "orientation_strength orientation",
                "[The texture is {0w} oriented ({0}) along the {1t}|Structures are {0w} aligned, {0}, with the {1t}"
                "|Anisotropy is {0}, {0w} directed along the {1t}].",
            ),
        ),
    ),
)

DENSE_BODIES = Topic(
    "dense bodies",
    (
        (
            Rule.of(
                "dense_bodies>0",
                "[Dense bodies are {0w}, {0} of the volume|{0w} dark bodies take {0}|Thick dark bodies: {0}, {0w}].",
            ),
        ),
        (
            Rule.of(
                "dense_bodies=0",
                "[There are no dense bodies|No thick dark bodies|The block is free of dense bodies]{0!}.",
            ),
        ),
    ),
)

EM_TOPICS = (TECHNIQUE, MEMBRANES, OBJECTS, DIRECTION, DENSE_BODIES)
