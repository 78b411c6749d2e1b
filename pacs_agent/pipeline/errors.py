"""How a job ends otherwise than with a report. All survive pickling, as the workflow's tables need."""


class PipelineError(Exception):
    """Base of the errors of this room."""


class JobStateError(PipelineError):
    """What was asked cannot be done to a job in its state, or there is no such job."""


class JobStopped(PipelineError):
    """The job was canceled, overtaken by a later one, or is run anew elsewhere: this run of it ends quietly."""


class JobFailed(PipelineError):
    """The job cannot go on and trying again would not help: a dead letter until people have changed something."""


class NotMeasured(PipelineError):
    """Segmenting failed, or what it gave is lost: the reading is told without measurements, and why."""


class PriorNotHad(PipelineError):
    """An earlier study could not be looked for, or not be had in time: the study is told without comparison."""


class NothingToSay(PipelineError):
    """Nothing can be said of the study. That is a result: it is told in DICOM, with the reason.

    `bundle` names the model that was asked (its digest); empty when none was.
    """

    def __init__(self, code: str, reason: str, bundle: str = "") -> None:
        super().__init__(code, reason, bundle)
        self.code = code
        self.reason = reason
        self.bundle = bundle

    def __str__(self) -> str:
        return self.reason
