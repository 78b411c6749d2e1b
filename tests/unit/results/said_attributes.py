"""Whatever a model may say of where, how much and how many."""

from hypothesis import strategies as st

from pacs_agent.inference.attributes import Attributes

LOBES = ("right upper lobe", "right middle lobe", "right lower lobe", "left upper lobe", "left lower lobe")
ATTRIBUTES = st.builds(
    Attributes,
    sides=st.lists(st.sampled_from(("right", "left")), unique=True).map(tuple),
    lobes=st.lists(st.sampled_from(LOBES), unique=True).map(tuple),
    grade=st.none() | st.integers(0, 2),
    count=st.sampled_from((None, "one", "few", "many")),
)
