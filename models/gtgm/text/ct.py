"""What is said of a CT, in the order of a report."""

from models.gtgm.text.grammar import Plan, Rule, Topic

_SECTIONS = "[slices|sections]"
_SEEN = "[seen|found|visible]"


def _plans(*plans: Plan) -> tuple[Plan, ...]:
    return plans


TECHNIQUE = Topic(
    "technique",
    _plans(
        (
            Rule.of(
                "plane slices slice_distance",
                f"[{{0t}} CT with|Computed tomography, {{0t}}, with|{{0t}} CT acquisition of] {{1n}} {_SECTIONS}"
                " [spaced {2}|at {2} spacing|{2} apart].",
            ),
        ),
        (
            Rule.of("plane slices", f"[The series is {{0t}} with|A stack of {{0t}} images with] {{1n}} {_SECTIONS}."),
            Rule.of("slice_distance", f"{_SECTIONS} [are {{0w}}, {{0}} apart|show {{0w}} spacing, {{0}}]."),
        ),
        (
            Rule.of(
                "slices coverage",
                f"[CT with {{0n}} {_SECTIONS} covers|{{0n}} CT {_SECTIONS} span|{{0n}} {_SECTIONS} reach over] {{1}}.",
            ),
            Rule.of(
                "slice_distance pixel",
                "[Slice distance {0}, pixel size {1}|Slices {0} apart with pixels of {1}"
                "|{0w} slices of {0} and an in-plane pixel size of {1}].",
            ),
        ),
    ),
)

CONTRAST = Topic(
    "contrast",
    _plans(
        (
            Rule.of(
                "contrast=present",
                "[[There is|The scan shows] [contrast medium in the blood|enhancement of the blood|enhanced blood]"
                "|[This is|The examination is] a contrast-enhanced [study|scan|CT]]{0!}.",
            ),
        ),
        (
            Rule.of(
                "contrast=present heart_density>0",
                "[Contrast-enhanced|Contrast-enhanced scan:]{0!} [the heart|cardiac blood] measures {1}.",
            ),
        ),
        (
            Rule.of(
                "contrast=absent",
                "[This is|It is|The examination is] a [unenhanced|non-contrast|plain|native] "
                "[study|scan|CT], [free of contrast medium|given without contrast|without enhancement]{0!}.",
            ),
        ),
        (
            Rule.of(
                "contrast=absent heart_density>0",
                "[On|In] this [unenhanced|plain|native] [study|scan] without contrast{0!}"
                " the heart [measures|lies at|has] {1}.",
            ),
        ),
    ),
)

BODY = Topic(
    "body",
    _plans(
        (
            Rule.of("body_volume", "[The scanned body|The part of the body in view|Body tissue] [holds|fills] {0}."),
            Rule.of(
                "fat_share",
                "[The build is {0w}, fat making up|{0w} fat tissue makes up|There is {0w} adipose tissue:] {0}"
                " [of the body|of the volume].",
            ),
        ),
        (
            Rule.of(
                "body_width fat_share>0",
                "[The trunk is {0} wide|The body measures {0} across] and [has {1w} fat, {1}|{1} of it is fat].",
            ),
        ),
        (
            Rule.of(
                "fat_share>0 bone_share>0",
                "[Fat makes up {0} and bone {1} of the body|{0} of the body is fat and {1} is bone"
                "|Body composition: {0} fat, {1} bone].",
            ),
        ),
    ),
)

LUNG_VOLUME = Topic(
    "lung volume",
    _plans(
        (
            Rule.of(
                "lung_volume>0",
                "[The lungs [hold|contain|measure]|Lung volume [is|amounts to]|Both lungs together [hold|fill]]"
                " [about|] {0}[, a {0w} volume|].",
            ),
        ),
        (
            Rule.of(
                "lung_volume.right>0 lung_volume.left>0",
                "[The right lung [holds|measures] {0} and the left {1}|Right lung {0}, left lung {1}"
                "|The right lung is {0w} with {0}, the left {1w} with {1}"
                "|Lung volume: right {0}, left {1}].",
            ),
        ),
        (
            Rule.of("lung_volume>0", "[The lungs are {0w}|Lung volume is {0w}][, about|, together|:] {0}."),
            Rule.of(
                "lung_volume.right>0", "[The right lung is {0w} with|Right lung:|On the right, the lung holds] {0}."
            ),
            Rule.of("lung_volume.left>0", "[The left lung is {0w} with|Left lung:|On the left, the lung holds] {0}."),
        ),
        (
            Rule.of(
                "lung_height.right>0 lung_height.left>0",
                "[The right lung is {0} tall, the left {1}|Lung height is {0} on the right and {1} on the left].",
            ),
            Rule.of("lung_volume>0", "[The lungs hold|Lung volume is] {0}."),
        ),
        (Rule.of("lung_volume.right>0", "[The right lung holds|In the right lung there are] {0}."),),
        (Rule.of("lung_volume.left>0", "[The left lung holds|In the left lung there are] {0}."),),
    ),
)

LUNG_DENSITY = Topic(
    "lung density",
    _plans(
        (
            Rule.of(
                "lung_density lung_spread",
                "[Mean lung density is {0} with a spread of {1}"
                "|The lungs have a mean attenuation of {0} and vary by {1}"
                "|Lung attenuation averages {0} (standard deviation {1})].",
            ),
        ),
        (
            Rule.of(
                "lung_density.right lung_density.left",
                "[Mean density is {0} in the right and {1} in the left lung"
                "|The right lung has {0w} attenuation of {0}, the left {1w} attenuation of {1}"
                "|Attenuation: right lung {0}, left lung {1}].",
            ),
        ),
        (
            Rule.of(
                "lung_density", "[The lungs are of {0w} density|The lungs show {0w} attenuation][, on average|:] {0}."
            ),
            Rule.of(
                "lung_gradient",
                "[Dependent lung differs from the rest by|The gradient towards dependent lung is"
                "|From front to dependent parts attenuation changes by] {0}.",
            ),
        ),
    ),
)

EMPHYSEMA = Topic(
    "emphysema",
    _plans(
        (
            Rule.of(
                "below_950>0.9 dark_level",
                "[Emphysema-like lung below -950 HU makes up {0}, a {0w} share, mostly in the {1t} thirds"
                "|There is {0w} low-attenuation lung, {0} below -950 HU, most of it {1t}"
                "|{0w} emphysema, {0} of the lungs below -950 HU, predominates in the {1t} thirds].",
            ),
        ),
        (
            Rule.of(
                "below_950",
                "[{0} of the lungs lie below -950 HU|The share of lung below -950 HU is {0w}, {0}"
                "|Low-attenuation lung below -950 HU [is {0w}|takes {0w} room]: {0}"
                "|{0w} emphysema-like change, {0} below -950 HU].",
            ),
        ),
        (
            Rule.of(
                "below_950.right below_950.left",
                "[Below -950 HU lie {0} of the right and {1} of the left lung"
                "|Low-attenuation lung below -950 HU is {0w} on the right, {0}, and {1w} on the left, {1}].",
            ),
        ),
        (
            Rule.of(
                "below_950 below_910",
                "[{0} of the lungs are below -950 HU and {1} below -910 HU"
                "|Shares below -950 HU and below -910 HU are {0} and {1}].",
            ),
        ),
    ),
)

OPACITY = Topic(
    "opacity",
    _plans(
        (
            Rule.of(
                "haze_share",
                "[There is {0w} hazy density, {0} of the lungs|Hazy or ground-glass density covers {0}"
                "|{0} of the lungs are veiled, between -700 and -350 HU|{0w} ground-glass density, {0} of the lungs].",
            ),
        ),
        (
            Rule.of(
                "haze_share dense_share",
                "[Haze takes {0} and soft-tissue density {1} of the lungs"
                "|The lungs are {0} hazy and {1} solid, vessels included"
                "|{0w} haze ({0}) and {1w} soft-tissue parts with vessels ({1})].",
            ),
        ),
        (
            Rule.of(
                "dense_share", "[Vessels and other soft-tissue parts fill|Solid parts, vessels included, take] {0}."
            ),
        ),
    ),
)

AIR_SPACES = Topic(
    "air spaces",
    _plans(
        (
            Rule.of(
                "dark_count>0 dark_diameter>0",
                "[Larger air spaces: {0c}, the largest {1w}, {1}, [in the|at the] {1p} third"
                "|[Bulla-like|Black] airspaces number {0c}; the largest measures {1} and lies in the {1p} third].",
            ),
        ),
        (
            Rule.of(
                "dark_diameter>0",
                "[The largest air space is {0w}, {0} in diameter, [in the|at the] {0p} third"
                "|A {0w} lucency of {0} lies in the {0p} third].",
            ),
        ),
        (
            Rule.of(
                "dark_count=0",
                "[There are no bulla-like air spaces|No larger air spaces|The lungs are free of larger airspaces]{0!}.",
            ),
        ),
    ),
)

NODULES = Topic(
    "nodules",
    _plans(
        (
            Rule.of(
                "bright_count>1 bright_diameter.1>0",
                f"[{{0c}} nodule-like foci are {_SEEN}, the largest {{1w}} with {{1}} in the {{1p}} third"
                "|Rounded foci number {0c}; the largest, {1w}, measures {1} in the {1p} third].",
            ),
        ),
        (
            Rule.of(
                "bright_diameter.1>0 bright_diameter.2>0",
                "[Round foci measure {0} in the {0p} third and {1} in the {1p} third"
                "|The largest nodular focus, {0w}, has {0} ({0p} third), the next {1} ({1p} third)].",
            ),
        ),
        (
            Rule.of(
                "bright_diameter.1>0",
                "[A {0w} rounded focus of {0} lies in the {0p} third|In the {0p} third there is a {0w} nodule of {0}"
                "|Nodular focus, {0w}, {0}, {0p} third].",
            ),
            Rule.of("bright_density.1", "[The focus has a density of|Its attenuation is|Density of this focus:] {0}."),
        ),
        (
            Rule.of(
                "bright_count=0",
                "[No [rounded|nodule-like] foci in the lungs|The lungs are free of nodular foci"
                "|There are no rounded soft-tissue foci]{0!}.",
            ),
        ),
    ),
)

_FLUID_ONE = (
    "[There is {0w} [pleural fluid|fluid] on the SIDE, [about|] {0}|A {0w} SIDE pleural effusion of {0}"
    "|SIDE pleural effusion, {0w}, {0}|Fluid-like layer on the SIDE: {0w}, {0}]."
)
_NO_FLUID_ONE = "[No pleural fluid|There is no effusion|No fluid layer]{0!} on the SIDE."
_DEEP = "[The layer is {0} deep|It reaches a depth of {0}][ on the SIDE|, SIDE side]."
_FLUID_DENSITY = "[The fluid on the SIDE has an attenuation of|Density of the SIDE fluid:] {0}."


def _fluid(side: str) -> tuple[Rule, ...]:
    return (
        Rule.of(f"fluid_volume.{side}>0", _FLUID_ONE.replace("SIDE", side)),
        Rule.of(f"fluid_depth.{side}>0", _DEEP.replace("SIDE", side)),
        Rule.of(f"fluid_density.{side}", _FLUID_DENSITY.replace("SIDE", side)),
    )


def _no_fluid(side: str) -> Rule:
    return Rule.of(f"fluid_volume.{side}=0", _NO_FLUID_ONE.replace("SIDE", side))


FLUID = Topic(
    "fluid",
    _plans(
        (
            Rule.of(
                "fluid_volume.right=0 fluid_volume.left=0",
                "[No pleural fluid on either side|There is no pleural effusion on either side"
                "|The chest is free of fluid on both sides]{0!}{1!}.",
            ),
        ),
        (
            Rule.of(
                "fluid_volume.right>0 fluid_volume.left>0",
                "[A {0w} effusion on the right, {0}, and a {1w} effusion on the left, {1}"
                "|The right pleural space holds {0} of fluid, the left {1}"
                "|Pleural fluid: right {0}, left {1}].",
            ),
        ),
        (*_fluid("right"), *_fluid("left")),
        (*_fluid("right")[:2], _no_fluid("left")),
        (_fluid("right")[0], _fluid("right")[2], _no_fluid("left")),
        (_no_fluid("right"), *_fluid("left")[:2]),
        (_no_fluid("right"), _fluid("left")[0], _fluid("left")[2]),
        (
            Rule.of(
                "fluid_volume.right>0 fluid_volume.left=0",
                "[Fluid on the right, {0w}, {0}, and none{1!} on the left"
                "|The right pleural space holds {0} of fluid, the left is free of it{1!}].",
            ),
        ),
        (
            Rule.of(
                "fluid_volume.left>0 fluid_volume.right=0",
                "[Fluid on the left, {0w}, {0}, and none{1!} on the right"
                "|The left pleural space holds {0} of fluid, the right is free of it{1!}].",
            ),
        ),
        _fluid("right"),
        _fluid("left"),
        (_no_fluid("right"),),
        (_no_fluid("left"),),
    ),
)

HEART = Topic(
    "heart",
    _plans(
        (
            Rule.of(
                "heart_ratio>0",
                "[The heart is {0w}, its width {0} of the chest's|Cardiothoracic width ratio {0}, {0w}"
                "|The cardiac outline is {0w} with a ratio of {0}|Heart width over chest width is {0}].",
            ),
        ),
        (
            Rule.of(
                "heart_ratio>0 heart_density>0",
                "[The heart takes {0} of the chest's width and measures {1}|A {0w} heart, ratio {0}, at {1}"
                "|Cardiac ratio {0}; density in the heart {1}].",
            ),
        ),
    ),
)

CALCIUM = Topic(
    "calcium",
    _plans(
        (
            Rule.of(
                "calcium_volume>0",
                "[There is {0w} calcification about the heart and great vessels, {0}"
                "|Calcium between the lungs is {0w}: {0}|{0w} calcified plaques, {0} in all].",
            ),
        ),
        (
            Rule.of(
                "calcium_count>0 calcium_volume>0",
                "[Calcified spots number {0c} and take {1}|{0c} calcifications with {1} together, {1w}].",
            ),
        ),
        (
            Rule.of(
                "calcium_count=0",
                "[No calcium about heart and great vessels|There are no vascular calcifications"
                "|Heart and vessels are free of calcium]{0!}.",
            ),
        ),
    ),
)

METAL = Topic(
    "metal",
    _plans(
        (
            Rule.of(
                "metal_volume>0",
                "[There is [metal|metallic material] in the field, {0}|Metal takes {0}|Metal-dense material: {0}].",
            ),
        ),
    ),
)

CT_TOPICS = (
    TECHNIQUE,
    CONTRAST,
    BODY,
    LUNG_VOLUME,
    LUNG_DENSITY,
    EMPHYSEMA,
    OPACITY,
    AIR_SPACES,
    NODULES,
    FLUID,
    HEART,
    CALCIUM,
    METAL,
)
