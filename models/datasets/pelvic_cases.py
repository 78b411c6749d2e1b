"""Two open pelvic MR studies whose rectum is healthy: where it lies, read off their axial T2 images.

PROSTATEx (Litjens et al., 2017; TCIA, CC BY 3.0), ProstateX-0000 and -0001: studies of the prostate with the rectum in
view. On every axial T2 slice from the lower rectum up the outer border of the wall was placed by eye at four points;
along 72 rays about their middle the steepest rise from wall to fat next to that ellipse was taken, with a penalty on
jumps, and looked at on every slice. Verge, junction and the fat out to the fascia were placed by eye (about ±2 mm).
Points are in patient coordinates, so they hold in every plane of the study.
"""

from dataclasses import dataclass

from models.phantoms.canvas import Point


@dataclass(frozen=True)
class Ring:
    """The wall's outer border in one plane of the axial T2 series."""

    centre_mm: Point
    wall_mm: tuple[float, ...]
    """Distance of the border from the centre at each half hour of the clock face, from 12 on by the patient's left."""


@dataclass(frozen=True)
class Fat:
    """Fat between wall and mesorectal fascia, at a ring."""

    ring: int
    thickness_mm: tuple[float, ...]
    """At each hour, from 12 on by the patient's left."""


@dataclass(frozen=True)
class PelvicCase:
    """What is known of one patient's study."""

    patient: str
    file: str
    down: Point
    """Direction of the columns of the axial T2 series; its rows run to the patient's left."""
    verge_mm: Point
    junction_mm: Point
    """Anal verge and anorectal junction."""
    rings: tuple[Ring, ...]
    """From the feet to the head."""
    fat: tuple[Fat, ...]
    submucosa_mm: float
    muscularis_mm: float
    stages: tuple[int, ...]
    """T stages for which there is room."""
    half_turn: float
    """How far from 12 o'clock a tumour's middle may lie, in radians."""
    prostate_rings: int
    """The first rings have the prostate before them; before the others lie the seminal vesicles."""
    fascia_seen: bool
    """Whether there is mesorectal fat enough to tell a distance from the fascia."""


def _mm(*stretches: str) -> tuple[float, ...]:
    return tuple(float(value) for stretch in stretches for value in stretch.split())


CASES = (
    # The rectum is contracted, within a mesorectum that grows upwards.
    PelvicCase(
        "ProstateX-0000",
        "mr_dicom/ProstateX-0000_MR.tar.xz",
        down=(0.0, 0.948376, -0.317147),
        verge_mm=(41.0, 52.5, -83.2),
        junction_mm=(41.0, 37.4, -53.4),
        rings=(
            Ring(
                (41.6, 50.6, -43.2),
                _mm(
                    "19 19.1 18 17.2 16.5 15 13.8 13 12.8 12.9 13.9 16",
                    "18 19.3 20.3 20.7 20.3 20 20 20 19.3 17.9 17.8 18.4",
                ),
            ),
            Ring(
                (41.1, 56.6, -42.0),
                _mm(
                    "20.2 20.4 20.7 19.2 17.3 15.6 14 13.1 13.3 14.6 15.6 16.5",
                    "18 19.3 19.4 19.1 18.8 18.8 19.5 20.3 21.3 21.1 20.4 20.3",
                ),
            ),
            Ring(
                (39.4, 60.4, -40.1),
                _mm(
                    "21.8 21.9 22.5 21 18.6 16.4 15.1 15.1 15.2 16 17.7 19.2",
                    "19 18.2 17.2 16.7 16.5 16.9 17.8 19 20.2 21.2 21.6 21.7",
                ),
            ),
            Ring(
                (40.4, 62.3, -37.6),
                _mm(
                    "22.2 22 21.2 19 16.1 14.7 14.7 15.4 16.6 18.1 19.1 19.9",
                    "19.6 18.9 17.6 17 16.8 17.2 18.5 19.9 20.8 21.4 21.8 22.4",
                ),
            ),
            Ring(
                (41.4, 65.6, -35.6),
                _mm(
                    "20.4 19.3 17.9 15.8 14.4 14.4 15 15.9 16.8 17.4 18.4 19.3",
                    "19 17.9 16.2 15.2 15.3 16.4 18 20.2 21.4 22.1 22.2 20.9",
                ),
            ),
            Ring(
                (43.4, 70.1, -33.9),
                _mm(
                    "19.1 18.6 16.1 14.6 14.1 14.2 14.5 14.7 15.1 15.8 16.7 17.7",
                    "18.5 18.1 15.7 13.4 13.1 13.8 15.9 18.1 19.2 20.1 20.2 19.7",
                ),
            ),
            Ring(
                (44.6, 73.7, -31.9),
                _mm(
                    "17.3 16.7 15.7 14.5 13.8 13.4 13.3 13.4 13.8 14.5 15.7 16.7",
                    "17.8 18.4 17 14.6 12.4 11.5 12.7 15.1 17.2 18.8 19.1 18.5",
                ),
            ),
            Ring(
                (46.4, 76.7, -29.8),
                _mm(
                    "16.2 15 13.2 12.5 12 11.5 11.3 11.5 12 12.6 13.9 15.6",
                    "17.4 18.8 19.4 19.2 18 16.3 14.4 14 14.6 15.8 17 17.1",
                ),
            ),
            Ring(
                (45.6, 80.5, -27.9),
                _mm(
                    "16 15 13.7 13.2 13.2 12.8 11.5 11.2 11.4 12.1 13.1 14.3",
                    "15.7 17.1 18.5 18.6 17.8 17.4 16.3 15.4 15 15.7 17 16.6",
                ),
            ),
            Ring(
                (44.9, 82.4, -25.4),
                _mm(
                    "15.7 15.1 13.7 12.3 11.2 10.7 10.5 10.5 11.2 12.1 13.2 14.5",
                    "16 17.5 17.8 17.3 16.8 16.4 16.2 15.2 14.7 14.6 15.4 16.2",
                ),
            ),
        ),
        fat=(
            Fat(0, _mm("1.2 1.5 2 3 2 2 2 2 2 3 2 1.5")),
            Fat(2, _mm("1.8 2.5 9 9.5 7 5 5 5 8 11 10 3")),
            Fat(5, _mm("3 5 10 9 7 8 7 9 20 24 18 4")),
            Fat(8, _mm("10 12 14 12 9 9 7 8 14 26 24 12")),
        ),
        submucosa_mm=3.0,
        muscularis_mm=2.5,
        stages=(1, 2, 3, 4),
        half_turn=3.1416,
        prostate_rings=4,
        fascia_seen=True,
    ),
    # The rectum is wide with stool; behind and beside it the wall lies on the levator.
    PelvicCase(
        "ProstateX-0001",
        "mr_dicom/ProstateX-0001_MR.tar.xz",
        down=(0.0, 0.993961, -0.109734),
        verge_mm=(-20.5, 55.4, -60.2),
        junction_mm=(-20.5, 41.3, -34.9),
        rings=(
            Ring(
                (-21.2, 65.1, -20.7),
                _mm(
                    "14 14.4 15.5 17.5 20.6 25.1 27.4 24.8 21.1 18.5 16.1 14.9",
                    "14.9 16.6 17.7 19.4 21.9 26.1 29 26.1 21.6 17.9 15.5 14.4",
                ),
            ),
            Ring(
                (-20.5, 67.2, -17.9),
                _mm(
                    "15.1 15.4 16.7 19.1 22.4 25.3 26.7 25.8 23 20.6 19.1 18.2",
                    "18.7 19.4 20.3 21.2 23.8 26.9 29.7 27.7 24.1 20.1 16.9 15.6",
                ),
            ),
            Ring(
                (-19.7, 69.0, -15.1),
                _mm(
                    "16.3 16.7 17.9 20.4 23.6 26.3 27.8 27 25.4 23.1 21.1 19.9",
                    "19.5 19.9 21.1 22.8 26 29.9 31.7 29.6 26.1 21.8 18.6 16.8",
                ),
            ),
            Ring(
                (-19.7, 71.1, -12.3),
                _mm(
                    "18.5 18.9 20.1 22.4 25.3 27.9 29.1 28.8 27.4 25.3 23.4 22.2",
                    "21.8 22.2 23.4 25.5 28.4 31.6 32.9 30.9 27.9 23.8 20.4 18.7",
                ),
            ),
            Ring(
                (-20.2, 73.4, -9.5),
                _mm(
                    "20.5 21.1 22.4 24.5 27.3 29.3 30.5 30.8 29.4 27.2 25.2 23.9",
                    "23.2 23.2 24.4 26.4 28.5 30.3 31 30.8 29.3 25.9 22.7 21",
                ),
            ),
            Ring(
                (-20.2, 75.7, -6.7),
                _mm(
                    "22.6 22.9 24.3 26.4 28.5 30.2 31.8 31.7 29 25.6 23.2 22.8",
                    "23.8 25.3 26.8 28.9 30.7 32.1 32.1 32.1 30.5 27.9 25.5 23.5",
                ),
            ),
            Ring(
                (-21.0, 77.5, -3.9),
                _mm(
                    "24.4 24.7 26 27.9 29.3 30.7 31.2 31.5 30.6 28.9 26.3 23.9",
                    "23.8 24.6 25.6 27.1 28.1 28.9 30.6 31.3 30.6 28.5 26.3 24.7",
                ),
            ),
            Ring(
                (-20.7, 78.8, -1.0),
                _mm(
                    "25.4 25.6 27 28.1 28.9 30 30.2 28.9 27.2 24.9 23.8 23.9",
                    "24.8 25.8 26.7 27.8 29 30.1 31 31.3 30 28.7 27 25.8",
                ),
            ),
            Ring(
                (-20.7, 79.9, 1.9),
                _mm(
                    "26 26.1 27.1 28.1 28.8 29.6 30.2 29.2 27.7 25.4 24.4 24.6",
                    "25.5 26.5 27.4 28.9 30.5 31 31 31 29.9 28.1 27.1 26.5",
                ),
            ),
            Ring(
                (-21.2, 81.0, 4.8),
                _mm(
                    "24.5 24.1 24.8 26.5 28.1 29 29.2 29 27.6 25.6 24.6 24.9",
                    "25.9 26.5 27.3 29 30.6 31 30.5 29.5 28.5 26.8 25.4 24.9",
                ),
            ),
        ),
        fat=(
            Fat(0, _mm("1.5 2 2 2 2 2 2 2 2 2 2 2")),
            Fat(5, _mm("2 3 4 4 2 2 2 2 2 4 4 3")),
            Fat(9, _mm("3 4 6 4 2 2 2 2 2 4 6 4")),
        ),
        submucosa_mm=1.6,
        muscularis_mm=1.6,
        stages=(1, 2, 4),
        half_turn=1.2,
        prostate_rings=5,
        fascia_seen=False,
    ),
)
