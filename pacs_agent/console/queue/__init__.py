"""The queue as the administrator sees it: what waits, what runs, what failed, and each job with its steps.

In: jobs, their steps, objects and deliveries in the database. Out: pages with their JSON twins; acts go to the room
`pipeline`. What may fail: an act that a job's state forbids, refused in words.
"""

from pacs_agent.console.queue.blueprint import queue_blueprint
from pacs_agent.console.queue.expected import expectations_in_words
from pacs_agent.console.queue.jobs import jobs_of_study
from pacs_agent.console.queue.models import JobShown

__all__ = ["JobShown", "expectations_in_words", "jobs_of_study", "queue_blueprint"]
