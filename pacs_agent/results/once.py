"""Parts of documents that are made once for each reading: a job's second document finds them, and a rehearsed job."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from pacs_agent.imaging.series import OrderedSeries
from pacs_agent.inference.reading import StudyReading

KEPT = 8
"""Of each part; those of a study of 600 slices take some megabytes."""
_BY_IDENTITY = (StudyReading, OrderedSeries, tuple)
"""What cannot change and is large: told by which object it is, as to compare it would cost more than is gained."""

Given = ParamSpec("Given")
Part = TypeVar("Part")


def once(make: Callable[Given, Part]) -> Callable[Given, Part]:
    """Makes a part once for the same arguments. Nobody may change what it gives.

    Where an argument has no hash, such as a list, the part is made each time.
    """
    kept: OrderedDict[object, tuple[object, Part]] = OrderedDict()
    lock = threading.RLock()

    @wraps(make)
    def found_or_made(*args: Given.args, **kwargs: Given.kwargs) -> Part:
        given = (*args, *kwargs.items())
        key = tuple(id(one) if isinstance(one, _BY_IDENTITY) else one for one in given)
        try:
            hash(key)
        except TypeError:
            return make(*args, **kwargs)
        with lock:
            if key not in kept:
                kept[key] = given, make(*args, **kwargs)  # with what was given: no other object gets its identity
            part = kept[key][1]
            while len(kept) > KEPT:
                kept.popitem(last=False)
            return part

    return found_or_made
