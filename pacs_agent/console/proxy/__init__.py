"""DICOMweb of the one configured PACS, through the agent: QIDO-RS and WADO-RS below `/pacs/dicom-web`, reading only.

In: searches and retrievals of people who may view. Out: what the PACS answers, as it comes, its addresses turned into
ours. What may fail: a PACS that cannot be reached, is too slow or refuses the agent; each is told in words. The PACS's
address and the agent's login there never leave the server.
"""

from pacs_agent.console.proxy.blueprint import PREFIX, proxy_blueprint

__all__ = ["PREFIX", "proxy_blueprint"]
