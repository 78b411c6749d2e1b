"""All judges on one or several files."""

from collections.abc import Iterable
from pathlib import Path

from tests.judges import dciodvfy, dsrdump, pixelmed, rules
from tests.judges.verdict import Verdict


def available_judges() -> list[str]:
    """The judges that can be asked on this machine."""
    tools = [dciodvfy.name(program) for program in dciodvfy.programs()]
    tools += ["dsrdump"] if dsrdump.is_available() else []
    tools += ["pixelmed"] if pixelmed.is_available() else []
    return [*tools, "rules"]


def judge(path: Path) -> list[Verdict]:
    """What every judge says of one file."""
    return judge_all([path])[path]


def judge_all(paths: Iterable[Path]) -> dict[Path, list[Verdict]]:
    """What every judge says of each file. One call for many files: PixelMed's checker takes ten seconds to start."""
    paths = list(paths)
    from_pixelmed = pixelmed.verdicts(paths)
    return {
        path: [*rules.verdicts(path), *dciodvfy.verdicts(path), *dsrdump.verdicts(path), *from_pixelmed.get(path, [])]
        for path in paths
    }
