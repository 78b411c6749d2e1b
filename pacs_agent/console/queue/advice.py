"""What to do about a job that failed, in one sentence."""

from collections.abc import Sequence

from pacs_agent.db import Delivery, DeliveryState, Job


def advice_for(job: Job, failed: Sequence[Delivery]) -> str:
    """The next step for people, by what failed: `failed` are the deliveries that did not come about."""
    refused = sorted({one.destination for one in failed if one.state == DeliveryState.REFUSED})
    silent = sorted({one.destination for one in failed if one.state == DeliveryState.UNREACHABLE})
    if silent or refused:
        return " ".join((*(_of_silent(name) for name in silent), *(_of_refused(name) for name in refused)))
    if "does not say whether it has them" in job.error:
        return (
            "Nothing was refused, but retention keeps the study until the destination confirms: let it answer queries "
            "of this agent, or set it to confirm none on the page Peers; then run the job again. Nothing is sent twice."
        )
    if "deliver:" in job.error or "confirm:" in job.error:
        return "Look at the destination on the page Peers, repair what the reason names, then run the job again."
    if "no model" in job.error or "bundle" in job.error:
        return "Activate a model that reads such studies on the page Models, then run the job again."
    if "workflow ended without an outcome" in job.error or "began" in job.error:
        return "Look at the worker's lines on the page Logs; then run the job again, or cancel what cannot be read."
    return "Repair what the reason names, then run the job again; steps that are done are not done twice."


def _of_silent(name: str) -> str:
    return (
        f"{name} could not be reached: test it on the page Peers (host, port, AE title, firewall, TLS), "
        "then run the job again; only what is missing is sent."
    )


def _of_refused(name: str) -> str:
    return (
        f"{name} refused an object: its answer says why; let it accept SR documents of this agent "
        "(SOP class, AE title, rights), then run the job again."
    )
