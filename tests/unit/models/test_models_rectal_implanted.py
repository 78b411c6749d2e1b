"""Figures of implanted tumours, and the command that writes one."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
from models.datasets.pelvic_cases import CASES
from models.datasets.pelvic_implants import ImplantedPelvis, ImplantedStack, draw_plan
from models.datasets.pelvic_rectum import grow
from models.datasets.pelvic_study import Kind, RealStack
from models.msvlm.rectal import implanted, implanted_figures
from models.msvlm.rectal.case_lines import implant_lines
from models.msvlm.rectal.implanted import told_of_implant
from models.msvlm.rectal.implanted_figures import ReadImplant, figures
from models.msvlm.rectal.items import SCALES, Told, scale_of, step_targets
from models.msvlm.rectal.runtime import Staging
from models.msvlm.rectal.stored import StoredSeries
from models.phantoms.pelvis import Item
from pacs_agent.inference.staging.acquired import Acquired, SequenceId


def _read(patient: str, tumour: float, t_stage: int, told: dict[Item, Told], measured_mm: float) -> ReadImplant:
    levels = {scale.item: np.eye(len(scale.levels))[0] for scale in SCALES}
    levels[Item.TUMOUR] = np.array([1.0 - tumour, tumour])
    levels[Item.T_STAGE] = np.eye(len(scale_of(Item.T_STAGE).levels))[t_stage]
    nothing = np.zeros((0, 0), np.float32)
    return ReadImplant(patient, told, Staging(levels, nothing, nothing), True, 2.0, measured_mm)


def test_figures_say_what_was_found_and_over_how_many() -> None:
    told = {Item.TUMOUR: Told(1), Item.LOCATION: Told(1), Item.T_STAGE: Told(2)}
    reads = [_read("a", 0.9, 2, told, 3.0), _read("a", 0.4, 3, told, 1.0), _read("b", 0.7, 0, told, float("nan"))]
    controls = {name: _read(name, p, 0, {Item.TUMOUR: Told(0)}, float("nan")) for name, p in (("a", 0.5), ("b", 0.1))}
    found = figures(reads, controls)
    assert found["tumour"]["auroc"] == pytest.approx(5 / 6, abs=1e-4)
    assert found["tumour"]["found"] == {"value": pytest.approx(2 / 3, abs=1e-4), "n": 3}
    assert found["tumour"]["over_own_control"]["value"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["t_stage"] == {"value": 0.3333, "n": 3, "within_one": 0.6667}
    assert found["crm"] == {"value": None, "n": 0, "within_one": None}
    assert found["margin"] == {"known": 3, "n": 2, "mean_absolute_error_mm": 1.0, "bias_mm": 0.0}
    card = "\n".join(implant_lines({"data": "Two patients.", "patients": 2, "implants": 3, **found}))
    assert "Without an implant the probability of a tumour is a 0.50, b 0.10" in card
    assert "area under the ROC curve of a tumour 0.83" in card
    assert "- Level as implanted: location 0.00 of 3, t stage 0.33 of 3, crm – of 0." in card
    assert "- Distance to the fascia, known of 3: measured in 2, off by 1.0 mm." in card
    assert implant_lines(None) == []


@pytest.mark.parametrize(("strongest", "shown"), [(0, False), (2, True), (4, False)])
def test_evidence_lies_within_where_its_slice_shows_the_implant(strongest: int, shown: bool) -> None:
    rows, columns = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.948, -0.317])
    first = np.array([[-9.0, 4.0, 3.0 * index] for index in range(5)])
    pixels = np.zeros((5, 7, 9), np.uint16)
    real = RealStack("t2", Kind.T2, 0.0, (), pixels, first, rows, columns, 0.5, 3.0)
    mask = np.zeros(pixels.shape, bool)
    mask[2:4, 3, 3] = True
    middle = (first + 2.0 * rows + 1.5 * columns).astype(np.float32)
    series = StoredSeries(
        *("t2", Acquired(0, SequenceId.T2), pixels.astype(np.int16), np.zeros(5), np.ones(5), (0.5, 0.5)),
        *(middle, np.tile(np.r_[rows, columns], (5, 1)).astype(np.float32)),
    )
    attention = np.tile(np.eye(5, dtype=np.float32)[strongest], (len(SCALES), 1))
    staging = Staging({}, attention, np.zeros((0, 0), np.float32))
    stack = ImplantedStack(real, pixels, mask, mask.astype(np.float32))
    assert implanted_figures._within(staging, [series], [stack]) == shown


def test_what_an_implant_does_not_define_is_not_told() -> None:
    contracted, wide = (ImplantedPelvis(case, 3, grow(case, draw_plan(case, 3, 2)), ()) for case in CASES)
    assert set(told_of_implant(contracted)) == {Item.TUMOUR, Item.LOCATION, Item.T_STAGE, Item.CRM}
    assert set(told_of_implant(wide)) == {Item.TUMOUR, Item.LOCATION, Item.T_STAGE}
    taken, known = step_targets(told_of_implant(wide))
    assert taken.sum() >= 2 and known.sum() >= 4


def test_without_the_open_data_both_commands_say_so(tmp_path: Path) -> None:
    done = CliRunner().invoke(implanted.main, [str(tmp_path / "out"), "--data", str(tmp_path)])
    assert done.exit_code == 1 and "ProstateX-0000_MR.tar.xz is not there" in done.output
    done = CliRunner().invoke(implanted_figures.main, [str(tmp_path), "--data", str(tmp_path)])
    assert done.exit_code == 0 and "skipped: no real pelvic MR" in done.output
