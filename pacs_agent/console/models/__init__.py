"""The models: what is installed and proven, which one reads, which reads in the shadow, and what was recalled.

In: bundles as files, and decisions of people about them. Out: what the workers use from their next study on. What may
fail: a bundle that is refused in words, and an act that the state of things forbids.
"""

from pacs_agent.console.models.blueprint import models_blueprint
from pacs_agent.console.models.shelf import Shelf

__all__ = ["Shelf", "models_blueprint"]
