"""The pages of the console as its navigation shows them, each to those who may see it."""

from dataclasses import dataclass

from pacs_agent.console.access import Person, Role


@dataclass(frozen=True)
class Entry:
    """A page in the navigation. `key` is pressed after `g` to go there."""

    path: str
    label: str
    roles: tuple[Role, ...]
    key: str


NAVIGATION: tuple[Entry, ...] = (
    Entry("/console", "Overview", (Role.VIEWER, Role.OPERATOR), "o"),
    Entry("/console/studies", "Studies", (Role.VIEWER, Role.OPERATOR), "s"),
    Entry("/console/queue", "Queue", (Role.VIEWER, Role.OPERATOR), "q"),
    Entry("/console/bring-in", "Bring in", (Role.OPERATOR,), "b"),
    Entry("/console/peers", "Peers", (Role.OPERATOR,), "p"),
    Entry("/console/rules", "Rules", (Role.OPERATOR,), "r"),
    Entry("/console/models", "Models", (Role.VIEWER, Role.OPERATOR), "m"),
    Entry("/console/quality", "Quality", (Role.VIEWER, Role.OPERATOR), "u"),
    Entry("/console/audit", "Audit", (Role.AUDITOR, Role.ADMIN), "a"),
    Entry("/console/people", "Users and tokens", (Role.ADMIN,), "t"),
    Entry("/console/settings", "Settings", (Role.ADMIN,), "e"),
    Entry("/console/logs", "Logs", (Role.OPERATOR,), "l"),
)


def entries_for(person: Person) -> list[Entry]:
    """What the person may see."""
    return [entry for entry in NAVIGATION if person.may(*entry.roles)]


def is_here(entry: Entry, path: str) -> bool:
    """Whether a path is the entry's page or one below it."""
    below = entry.path != "/console" and path.startswith(f"{entry.path}/")
    return path.rstrip("/") == entry.path or below
