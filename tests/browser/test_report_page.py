"""The report page in a real browser: headless chromium, no network."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from matplotlib.image import imread
from report_results import SCRIPT, full_page, outcome_page, peaks_page, small_page

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    # Nothing leaves this machine, whatever the page or the browser itself asks for.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
THE_BROWSERS_OWN = ("google.com", "googleapis.com", "gvt1.com")
HAZARD_YELLOW = (0xFF, 0xD2, 0x1F)
SMALL_PHONE, PHONE, DESKTOP = 360, 420, 1400

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed: apt-get install --no-install-recommends chromium"
)


@dataclass(frozen=True)
class Visit:
    """What the browser made of a page."""

    dom: str
    console: list[str]
    hosts: set[str]


def run_chromium(page: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Open a file in a new profile."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def visit(page: Path) -> Visit:
    """The page's DOM after rendering, its console messages, and the hosts it asked for."""
    log = page.with_suffix(".netlog.json")
    done = run_chromium(page, "--enable-logging=stderr", f"--log-net-log={log}", "--dump-dom")
    urls = set(re.findall(r'"url":"(https?:[^"]+)"', log.read_text(encoding="utf-8")))
    hosts = {urlsplit(url).hostname or "" for url in urls}
    return Visit(
        dom=done.stdout,
        console=re.findall(r":CONSOLE[:(].*", done.stderr),
        hosts={host for host in hosts if not host.endswith(THE_BROWSERS_OWN)},
    )


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("simulated"), "report.html", full_page("confounded"))


@pytest.fixture(scope="module")
def seen(simulated: Path) -> Visit:
    return visit(simulated)


class Loads(HTMLParser):
    """Every address that a browser fetches by itself; links that a reader clicks do not count."""

    ATTRIBUTES = frozenset({"src", "srcset", "href", "xlink:href", "data", "poster", "action", "background"})

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in self.ATTRIBUTES and tag != "a" and not (value or "").startswith(("#", "data:")):
                self.found.append(f"{tag} {name}={value}")


def test_the_browser_shows_the_verdicts_and_their_detail(seen: Visit) -> None:
    for text in (
        "At a glance",
        "What a naive reading would say",
        "Calibration: how often chance, or any other pair, would have passed",
        "Control claims",
        "How verdicts are reached",
        "Versions and seed",
    ):
        assert text in seen.dom
    assert seen.dom.count('<article class="claim"') == 8
    # Of the study three tested claims, the nulls of one, and the overview; of the panel three and the overview.
    assert seen.dom.count("</svg>") == 5 + 4
    assert "SIMULATED" in seen.dom


def test_every_figure_has_a_name(seen: Visit) -> None:
    """Each drawing stands in an element that is one image to a screen reader, named by its numbers."""
    before = re.findall(r'<div role="img" aria-label="([^"]+)">\s*<svg', seen.dom)
    assert len(before) == seen.dom.count("</svg>")
    assert all("SIMULATED" in name for name in before)
    nulls = [name for name in before if "Null distribution of claim C5" in name]
    assert len(nulls) == 1
    assert "GENE1 0.165" in nulls[0]


def test_markup_in_a_statement_stays_text(seen: Visit) -> None:
    assert "<script" not in seen.dom
    assert html.escape(SCRIPT, quote=False) in seen.dom


def test_the_console_stays_silent(seen: Visit, tmp_path: Path) -> None:
    assert seen.console == []
    noisy = write(tmp_path, "noisy.html", "<script>console.error('heard')</script>")
    assert "heard" in "".join(visit(noisy).console)


def test_nothing_is_fetched(seen: Visit, tmp_path: Path) -> None:
    loads = Loads()
    loads.feed(seen.dom)
    assert loads.found == []
    assert not re.search(r"@import|url\((?!#|&quot;#|\"#)", seen.dom)
    assert seen.hosts == set()
    fetching = write(tmp_path, "fetching.html", '<img src="http://example.org/x.png">')
    assert visit(fetching).hosts == {"example.org"}


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_simulated_is_visible_without_scrolling(simulated: Path, tmp_path: Path, width: int) -> None:
    assert yellow_share(simulated, tmp_path, width) > 0.4


def test_public_data_have_no_hazard_banner(tmp_path: Path) -> None:
    public = write(tmp_path, "public.html", small_page("public"))
    assert yellow_share(public, tmp_path, DESKTOP) == 0


def yellow_share(page: Path, folder: Path, width: int) -> float:
    """Share of the top strip of the window that has the banner's yellow."""
    picture = folder / f"{width}.png"
    run_chromium(page, f"--window-size={width},900", f"--screenshot={picture}")
    pixels = imread(picture)[:50, :, :3]
    distance = abs(pixels - [channel / 255 for channel in HAZARD_YELLOW]).max(axis=2)
    return float((distance < 0.02).mean())


@pytest.mark.parametrize("width", [SMALL_PHONE, PHONE, 768, DESKTOP])
def test_the_page_is_never_wider_than_its_window(simulated: Path, tmp_path: Path, width: int) -> None:
    """Wide tables and figures scroll by themselves."""
    client, scroll = measured(simulated, tmp_path, width, "[root.clientWidth, root.scrollWidth]")
    assert client == width
    assert scroll <= client


@pytest.mark.parametrize("opened", [False, True], ids=["folded", "opened"])
@pytest.mark.parametrize("width", [SMALL_PHONE, DESKTOP])
def test_long_lists_are_folded_away_and_fit_when_they_are_opened(
    tmp_path: Path, width: int, opened: bool
) -> None:
    text = peaks_page("as_claimed")
    assert text.count("<details>") == 4
    page = write(tmp_path, "regions.html", text.replace("<details>", "<details open>") if opened else text)
    seen = "Array.from(root.querySelectorAll('details table')).filter(one => one.checkVisibility()).length"
    tables, scroll = measured(page, tmp_path, width, f"[{seen}, root.scrollWidth]")
    assert tables == (4 if opened else 0)
    assert scroll <= width


@pytest.mark.parametrize(("width", "columns"), [(SMALL_PHONE, 1), (DESKTOP, 2)])
def test_survival_curves_fit_their_window(tmp_path: Path, width: int, columns: int) -> None:
    """Panels of two data sets stand side by side where there is room, and need no scrolling anywhere."""
    page = write(tmp_path, "outcomes.html", outcome_page("as_claimed"))
    boxes = "Array.from(root.querySelectorAll('.panels svg'), one => one.getBoundingClientRect())"
    found = measured(page, tmp_path, width, f"{boxes}.map(box => [box.left, box.right, root.scrollWidth])")
    assert len(found) == 3
    assert len({left for left, _, _ in found[:2]}) == columns
    for left, right, scroll in found:
        assert left >= 0
        assert right <= width
        assert right - left > 300
        assert scroll <= width


def measured(page: Path, folder: Path, width: int, what: str) -> Any:
    """A list that a script finds of a page's `root`. A frame stands for windows narrower than chromium's smallest."""
    frame = html.escape(page.read_text(encoding="utf-8"))
    wrapper = write(
        folder,
        "wrapper.html",
        f"<body><iframe id='frame' style='height:900px;border:0;width:{width}px' srcdoc=\"{frame}\"></iframe><script>"
        "onload = () => { const root = frame.contentDocument.documentElement;"
        f"document.body.innerHTML = JSON.stringify({what}); }}</script>",
    )
    return json.loads(re.search(r"<body>(\[.*?\])</body>", visit(wrapper).dom)[1])  # type: ignore[index]
