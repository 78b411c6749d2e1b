"""What is said of an MR sequence, and of diffusion across the sequences of a study."""

from models.gtgm.text.grammar import Rule, Topic

_ON = "[On {0o},|In {0o},|{0o}:]"

TECHNIQUE = Topic(
    "technique",
    (
        (
            Rule.of(
                "plane slices slice_distance",
                "[MR sequence {0o}:|{0o} images:|The sequence {0o} is] {0t}, [with|of] {1n} slices {2} apart.",
            ),
        ),
        (
            Rule.of("plane slices", "[{0o} imaging in the {0t} plane|{0t} {0o} images] [with|in] {1n} slices."),
            Rule.of(
                "slice_distance coverage", f"{_ON} slices [are {{0}} apart and cover|lie {{0}} apart, covering] {{1}}."
            ),
        ),
        (Rule.of("slices pixel", f"{_ON} [{{0n}} slices have|there are {{0n}} slices with] pixels of {{1}}."),),
    ),
)

SIGNAL = Topic(
    "signal",
    (
        (
            Rule.of(
                "tissue_share variation",
                f"{_ON} [tissue fills {{0}} of the field and its signal spreads by {{1}}"
                "|{0} of the field [is|shows] tissue with {1w} signal, quartiles {1} apart].",
            ),
        ),
        (
            Rule.of("variation", f"{_ON} [signal is {{0w}}, its quartiles {{0}} apart|intensity is {{0w}} ({{0}})]."),
            Rule.of(
                "bright_tail",
                f"{_ON} [the brightest parts reach {{0}} times the median|bright signal is {{0w}}, {{0}} times usual].",
            ),
        ),
    ),
)

BRIGHT = Topic(
    "bright areas",
    (
        (
            Rule.of(
                "bright_areas>0 bright_area_volume>0",
                f"{_ON} [{{0c}} bright area(s), the largest {{1p}}, {{1}}"
                "|areas of high signal number {0c}; the largest holds {1} and lies {1p}].",
            ),
        ),
        (
            Rule.of(
                "bright_area_volume>0", f"{_ON} the largest [bright|hyperintense] area lies {{0p}} and holds {{0}}."
            ),
        ),
        (Rule.of("bright_areas=0", f"{_ON} there [are no|is no larger] bright [areas|area]{{0!}}."),),
    ),
)

DARK = Topic(
    "dark areas",
    (
        (
            Rule.of(
                "dark_areas>0 dark_area_volume>0",
                f"{_ON} [{{0c}} dark area(s), the largest {{1p}}, {{1}}"
                "|areas of low signal number {0c}; the largest holds {1} and lies {1p}].",
            ),
        ),
        (Rule.of("dark_area_volume>0", f"{_ON} the largest [dark|hypointense] area lies {{0p}} and holds {{0}}."),),
        (Rule.of("dark_areas=0", f"{_ON} there [are no|is no larger] dark [areas|area]{{0!}}."),),
    ),
)

DIFFUSION = Topic(
    "diffusion",
    (
        (
            Rule.of(
                "diffusion_volume>0 diffusion_ratio",
                "[Diffusion is restricted in {0}, {0p}; ADC there is {1w} lowered, {1} of the usual"
                "|{0} bright on diffusion-weighted images lie {0p} and are {1w} dark on ADC, {1} of the median].",
            ),
        ),
        (
            Rule.of(
                "diffusion_volume=0",
                "[Diffusion is not restricted|No restricted diffusion|There is no area bright on diffusion-weighted "
                "images and dark on ADC]{0!}.",
            ),
        ),
    ),
)

SEQUENCE_TOPICS = (TECHNIQUE, SIGNAL, BRIGHT, DARK)
STUDY_TOPICS = (DIFFUSION,)
