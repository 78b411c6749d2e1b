"""Grades and counts by regression: fitted where there are enough studies, the same for thick and thin slices."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from models.msvlm.amounts import AMOUNTS, AmountRegression  # noqa: E402
from models.msvlm.preset import load_preset  # noqa: E402
from models.msvlm.reader import StudyReader  # noqa: E402
from models.msvlm.reading_loss import GROUPS, group_slice  # noqa: E402
from models.msvlm.stage_amounts import fit_amounts  # noqa: E402
from models.msvlm.studies import EncodedStudy, pad  # noqa: E402
from models.phantoms.findings import ATTRIBUTE_NAMES, FINDINGS  # noqa: E402

pytestmark = pytest.mark.train
F, A = len(FINDINGS), len(ATTRIBUTE_NAMES)
GRADE = group_slice("grade")
SMALL = {"encoder_width": 8, "reader_width": 16, "reader_heads": 2, "reader_blocks": 1, "visual_width": 16}


@pytest.fixture(scope="module")
def reader():
    whole = load_preset("cpu-demo")
    torch.manual_seed(0)
    return StudyReader(whole.network.model_copy(update=SMALL)).eval()


def study_of(reader, seed, spacing_mm=4.0):
    """A study whose finding 0 is of grade 0, 1 or 2 by how far it reaches along z: 16, 48 or 96 mm."""
    generator = torch.Generator().manual_seed(seed)
    length, grade = round(240 / spacing_mm), int(torch.randint(3, (1,), generator=generator))
    tokens = 0.1 * torch.randn(length, len(reader.token_mean), generator=generator)
    own = tokens[:, SMALL["encoder_width"] :].view(length, F, -1)
    own[: round((16, 48, 96)[grade] / spacing_mm), 0] += 3.0
    attributes, known = torch.zeros(F, A), torch.zeros(F, len(GROUPS), dtype=torch.bool)
    attributes[0, GRADE.start + grade], known[0, GROUPS.index("grade")] = 1.0, True
    return EncodedStudy(
        tokens=tokens,
        z_mm=torch.arange(length) * spacing_mm,
        slices=torch.zeros(length, F),
        labels=torch.eye(F)[0],
        known=torch.ones(F, dtype=torch.bool),
        located=torch.ones(F, dtype=torch.bool),
        attributes=attributes,
        attributes_known=known,
        sentences=(),
    )


def right(reader, studies):
    with torch.no_grad():
        said = [reader.facts(*pad([study]).inputs).concluded.attributes[0, 0, GRADE].argmax() for study in studies]
    return sum(int(a == b.attributes[0, GRADE].argmax()) for a, b in zip(said, studies, strict=True)) / len(studies)


def test_a_grade_is_read_from_how_far_a_finding_reaches(reader):
    studies = [study_of(reader, seed) for seed in range(60)]
    fit_amounts(reader, studies, [study_of(reader, seed) for seed in range(100, 120)])
    unseen = range(200, 230)
    assert right(reader, [study_of(reader, seed) for seed in unseen]) > 0.9
    assert right(reader, [study_of(reader, seed, spacing_mm=2.0) for seed in unseen]) > 0.9
    fitted = reader.heads.amounts.fitted
    assert fitted[0, GRADE].all()
    assert fitted.sum() == GRADE.stop - GRADE.start


def test_padding_changes_no_amount(reader):
    short, long = study_of(reader, 1, spacing_mm=8.0), study_of(reader, 2)
    with torch.no_grad():
        alone = reader.facts(*pad([short]).inputs).concluded.amounts[0]
        beside = reader.facts(*pad([short, long]).inputs).concluded.amounts[0]
    assert torch.allclose(alone, beside, atol=1e-4)


def test_what_was_not_fitted_keeps_the_logits_that_it_was_given():
    regression = AmountRegression(2, 3)
    regression.fitted[1, AMOUNTS[0]], regression.bias[1, AMOUNTS[0]] = 1.0, 7.0
    given = torch.randn(1, 2, A)
    changed = regression(torch.zeros(1, 2, regression.mean.shape[1]), given)
    expected = given.clone()
    expected[0, 1, AMOUNTS[0]] = 7.0
    assert torch.equal(changed, expected)


def test_too_few_studies_fit_nothing(reader):
    few = [replace(study_of(reader, seed)) for seed in range(6)]
    fresh = AmountRegression(F, reader.heads.amounts.mean.shape[1] - AmountRegression(F, 0).mean.shape[1])
    reader.heads.amounts = fresh
    fit_amounts(reader, few, few)
    assert not reader.heads.amounts.fitted.any()
