"""`python -m tests.e2e.console_pictures`: takes the pictures of the console in docs/img anew, after a day's work."""

import argparse
import tempfile
from pathlib import Path

from tests.e2e.browser import Browser, check_tools
from tests.e2e.console_site import GRACE, NewSite
from tests.e2e.phantoms import phantom
from tests.e2e.pictures import FINDINGS, SHOWN, make_small
from tests.e2e.test_e2e_console import play_day


def main() -> None:
    """Plays the day, visits every page, and makes the pictures small."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=SHOWN, help="folder that they are written to")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    check_tools()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with NewSite(folder / "site") as site, Browser(folder, folder / "driver.log") as browser:
            play_day(browser, site, phantom(7, 96, FINDINGS), folder / "second")
            browser.play("console-pages", site.agent.url, account=GRACE.given(), pictures_to=str(out))
    for picture in sorted(out.glob("console-*.png")):
        make_small(picture)
        print(f"{picture.name}  {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
