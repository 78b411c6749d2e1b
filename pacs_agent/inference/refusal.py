"""Why a model does not load, or stopped while running. All survive pickling, as the workflow's tables need."""


class InferenceError(RuntimeError):
    """Base of the errors of this room."""


class BundleRefused(InferenceError):
    """A bundle that must not run: which file, what is wrong with it, and what to do."""

    def __init__(self, file: str, fault: str, remedy: str) -> None:
        super().__init__(file, fault, remedy)
        self.file = file
        self.fault = fault
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.file}: {self.fault}; {self.remedy}"


class ProviderUnavailable(InferenceError):
    """The execution provider that the settings demand cannot be used here, and nothing else may stand in for it."""


class TooLarge(InferenceError):
    """A segmenter that needs more memory for a series than it may have: how much, for what, and what to do."""


class ModelFailed(InferenceError):
    """A graph that stopped, or gave values that mean nothing (NaN, infinite, wrong shape)."""

    def __init__(self, graph: str, fault: str) -> None:
        super().__init__(graph, fault)
        self.graph = graph
        self.fault = fault

    def __str__(self) -> str:
        return f"graph {self.graph}: {self.fault}"
