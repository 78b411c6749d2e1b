"""Real peers for tests and benchmarks: Orthanc, dcmtk and dicom-ai-router, each as processes on this host.

In: a temporary folder. Out: a running peer with its port, stopped by `with`. Where a peer is not installed, `Missing`
says what to install; the tests turn that into a skip.
"""

from tests.peers.agent import Agent
from tests.peers.ai_router import AiRouter
from tests.peers.dcmtk import StoreScp, echoscu, storescu, storescu_each
from tests.peers.orthanc import Orthanc
from tests.peers.running import Missing, RunningProcess, free_port, until

__all__ = [
    "Agent",
    "AiRouter",
    "Missing",
    "Orthanc",
    "RunningProcess",
    "StoreScp",
    "echoscu",
    "free_port",
    "storescu",
    "storescu_each",
    "until",
]
