"""Settings, retention, watermark, notifications, and the whole configuration as one file.

In: what an administrator fills in or uploads. Out: pages with their JSON, and changes by the functions of the rooms
that they belong to. What may fail: values that cannot be, and a configuration that has changed since it was looked at.
"""

from pacs_agent.console.settings.blueprint import settings_blueprint

__all__ = ["settings_blueprint"]
