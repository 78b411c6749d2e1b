"""A hospital's staging table: what it may say, what it must not, and that what is not known stays unknown."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.msvlm.rectal.items import OF_TUMOUR, SEVEN, Told, scale_of, step_targets
from models.msvlm.rectal.staging_table import STUDY, WrongTable, read_stagings, told_by, told_in
from models.phantoms.pelvis import Item

YES_NO = (Item.PERITONEUM, Item.CRM, Item.NODES, Item.EMVI)
CELLS = {
    **dict.fromkeys(YES_NO, st.sampled_from(["", "yes", "No", " YES "])),
    Item.LOCATION: st.sampled_from(["", *scale_of(Item.LOCATION).levels]),
    Item.T_STAGE: st.sampled_from(["", "T1", "mrT2", "t3b", "4a", "ycT3"]),
    Item.SPHINCTER: st.sampled_from(["", "no", "yes", "internal", "External"]),
}
ROWS = st.fixed_dictionaries({item.value: cells for item, cells in CELLS.items()})
UIDS = st.lists(st.integers(1, 10**12).map(lambda n: f"2.25.{n}"), min_size=1, max_size=5, unique=True)


def written(path, rows, columns=(STUDY, *SEVEN)):
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows(rows)
    return path


@given(st.data(), UIDS)
def test_every_table_of_allowed_values_is_read(tmp_path_factory, data, uids):
    rows = {uid: data.draw(ROWS) for uid in uids}
    path = written(tmp_path_factory.mktemp("t") / "t.csv", [{STUDY: uid, **row} for uid, row in rows.items()])
    stagings = read_stagings(path)
    assert list(stagings) == uids
    for uid, row in rows.items():
        told = stagings[uid]
        assert set(told) - {Item.TUMOUR} == {item for item in SEVEN if row[item.value]}
        assert (Item.TUMOUR in told) == bool(OF_TUMOUR & set(told))
        taken, known = step_targets(told)
        assert not taken[~known].any()


@given(st.sampled_from(SEVEN), st.text(min_size=1, max_size=8).filter(lambda text: text.strip()))
def test_any_other_value_is_refused_with_what_to_write(item, cell):
    try:
        told = told_by(item, cell)
    except ValueError as fault:
        assert f"{item.value} is " in str(fault) and "or nothing where it is not known" in str(fault)
    else:
        assert 0 <= told.level < len(scale_of(item).levels)


def test_yes_for_the_sphincter_does_not_say_how_deep():
    assert told_by(Item.SPHINCTER, "yes") == Told(1, is_exact=False)
    assert told_by(Item.SPHINCTER, "intersphincteric") == Told(2)
    assert told_by(Item.T_STAGE, "mrT3b") == Told(2)


def test_a_stage_without_a_tumour_is_a_contradiction():
    with pytest.raises(ValueError, match="tumour is no, but t_stage is given"):
        told_in({"tumour": "no", "t_stage": "T2"})
    assert told_in({"tumour": "no", "nodes": "no"}) == {Item.TUMOUR: Told(0), Item.NODES: Told(0)}


@pytest.mark.parametrize(
    ("rows", "columns", "fault"),
    [
        ([], (STUDY, "t_stage"), "line 1: no column location, peritoneal_involvement"),
        ([{STUDY: "x"}], (STUDY, *SEVEN), "line 2: 'x' is no UID"),
        ([{STUDY: "1.2"}, {STUDY: "1.2"}], (STUDY, *SEVEN), "line 3: study 1.2 stands there twice"),
        ([{STUDY: "1.2", "crm": "2 mm"}], (STUDY, *SEVEN), "line 2: crm is '2 mm'; write yes, no, or nothing"),
    ],
)
def test_a_wrong_table_says_where(tmp_path, rows, columns, fault):
    with pytest.raises(WrongTable) as refused:
        read_stagings(written(tmp_path / "t.csv", rows, columns))
    assert fault in str(refused.value)
