"""C-STORE to a real SCP on pynetdicom that answers as a test wants."""

import socket
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import BasicTextSRStorage, Comprehensive3DSRStorage, ExplicitVRLittleEndian

from pacs_agent.deliver import (
    DimseDestination,
    Means,
    Outgoing,
    Refused,
    ScuAddress,
    Unreachable,
    Verdict,
    Whereabouts,
    outgoing,
)
from pacs_agent.results import write_bytes
from tests.integration.pacs import CountingPacs
from tests.peers.running import free_port


@pytest.fixture
def objects(tmp_path: Path) -> list[Outgoing]:
    """An AI result and a draft report."""
    return [_object(tmp_path, 1, Comprehensive3DSRStorage), _object(tmp_path, 2, BasicTextSRStorage)]


def _object(folder: Path, number: int, sop_class: str) -> Outgoing:
    document = Dataset()
    document.SOPClassUID, document.SOPInstanceUID = sop_class, f"1.2.3.{number}"
    document.StudyInstanceUID, document.SeriesInstanceUID, document.Modality = "1.2.1", f"1.2.2.{number}", "SR"
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / f"{number}.dcm"
    path.write_bytes(write_bytes(document))
    return outgoing(path)


def _to(pacs: CountingPacs, timeout_s: float = 5, **changed: object) -> DimseDestination:
    return DimseDestination(ScuAddress.model_validate({**pacs.settings, **changed}), Means(timeout_s))


def _verdicts(destination: DimseDestination, objects: list[Outgoing]) -> list[Verdict]:
    return [answer.verdict for answer in destination.send(objects)]


def test_all_objects_go_over_one_association_with_only_their_contexts(objects: list[Outgoing]) -> None:
    with CountingPacs() as pacs:
        assert _verdicts(_to(pacs), objects) == [Verdict.STORED, Verdict.STORED]
    assert pacs.associations == 1
    assert pacs.offered == [{Comprehensive3DSRStorage, BasicTextSRStorage}]
    assert pacs.stored["1.2.3.1"].SeriesInstanceUID == "1.2.2.1"


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (0xB006, Verdict.STORED),
        (0x0111, Verdict.STORED),
        (0xA700, Verdict.TRY_AGAIN),
        (0xA900, Verdict.REFUSED),
        (0xC000, Verdict.REFUSED),
    ],
)
def test_the_answer_for_one_object_does_not_touch_the_other(
    objects: list[Outgoing], status: int, verdict: Verdict
) -> None:
    with CountingPacs() as pacs:
        pacs.status_of = lambda instance: status if instance.SOPInstanceUID == "1.2.3.1" else 0
        assert _verdicts(_to(pacs), objects) == [verdict, Verdict.STORED]


def test_a_rejected_context_refuses_that_object_only(objects: list[Outgoing]) -> None:
    with CountingPacs(classes=(BasicTextSRStorage,)) as pacs:
        answers = list(_to(pacs).send(objects))
    assert [answer.verdict for answer in answers] == [Verdict.NOT_TAKEN, Verdict.STORED]
    assert "Comprehensive 3D SR Storage" in answers[0].text


def test_without_any_accepted_context_nothing_is_taken(objects: list[Outgoing]) -> None:
    with CountingPacs(classes=()) as pacs:
        answers = list(_to(pacs).send(objects))
    assert [answer.verdict for answer in answers] == [Verdict.NOT_TAKEN, Verdict.NOT_TAKEN]
    assert "Basic Text SR Storage" in answers[0].text


def test_a_wrong_called_title_is_refused_for_good(objects: list[Outgoing]) -> None:
    with CountingPacs() as pacs, pytest.raises(Refused, match="rejected the association"):
        _verdicts(_to(pacs, called_ae="SOMEBODY"), objects)


def test_nobody_there_is_unreachable(objects: list[Outgoing]) -> None:
    with pytest.raises(Unreachable):
        _verdicts(_to(CountingPacs(port=free_port())), objects)


def test_a_silent_listener_is_unreachable_in_time(objects: list[Outgoing]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pacs = CountingPacs(port=silent.getsockname()[1])
        with pytest.raises(Unreachable):
            _verdicts(_to(pacs, timeout_s=0.5), objects)


def test_an_association_that_breaks_leaves_the_rest_for_later(objects: list[Outgoing]) -> None:
    with CountingPacs() as pacs:
        pacs.aborts_after = 1
        assert _verdicts(_to(pacs, timeout_s=2), objects) == [Verdict.STORED, Verdict.TRY_AGAIN]


def test_confirmation_is_asked_only_where_wanted(objects: list[Outgoing]) -> None:
    with CountingPacs() as pacs:
        list(_to(pacs).send(objects))
        assert {found.whereabouts for found in _to(pacs).confirm(objects)} == {Whereabouts.UNKNOWN}
        assert {found.whereabouts for found in _to(pacs, query=True).confirm(objects)} == {Whereabouts.THERE}
        pacs.loses = True
        assert {found.whereabouts for found in _to(pacs, query=True).confirm(objects)} == {Whereabouts.ABSENT}


def test_a_pacs_without_queries_cannot_be_asked(objects: list[Outgoing]) -> None:
    with CountingPacs(queries=False) as pacs, pytest.raises(Refused, match="every presentation context"):
        list(_to(pacs, query=True).confirm(objects))


def test_probe_says_hello(objects: list[Outgoing]) -> None:
    with CountingPacs() as pacs:
        assert "0x0000" in _to(pacs).probe()
    with pytest.raises(Unreachable):
        _to(pacs).probe()
