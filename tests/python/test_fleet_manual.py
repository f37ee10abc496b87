"""The controller's manual pages describe every metric and every setting that there is, with its default."""

import re

import pytest
from fleet import Controller
from servers import ROOT

MAN = ROOT / "docs" / "man"


@pytest.fixture
def controller(tmp_path):
    controller = Controller(tmp_path).init()
    yield controller
    controller.end()


def entries(page, section=None):
    """{name: text} of the entries of a page's lists, of one part of it."""
    text = (MAN / page).read_text()
    if section:
        text = re.search(rf"^\.Ss {section}.*?(?=^\.S)", text, re.M | re.S)[0]
    found = {}
    for head, body in re.findall(r"^\.It Ic ([^\n]*)\n(.*?)(?=^\.It|^\.El|^\.S)", text, re.M | re.S):
        for name in re.findall(r"[a-z_]+", head):
            found[name] = body
    return found


def test_every_metric_is_described(controller):
    controller.start()
    names = {name.split("{")[0] for name in controller.metrics()}
    described = entries("vw-controller.1")
    assert len(names) > 20 and names <= described.keys(), names - described.keys()
    assert not {n for n in described if n.startswith("vw_controller_")} - names
    controller.stop()


def test_every_setting_is_described_with_its_default(controller):
    section, seen = "Outside of any section", set()
    controller.path.write_text("{}")
    for line in controller.cli("config", "show").out.splitlines():
        if re.match("# (no )?file", line):
            continue
        if match := re.fullmatch(r"([a-z]+):", line):
            section = f"{match[1]}:"
            continue
        match = re.match(r"(  )?(?:# )?([a-z_]+): (.*?)(  # (.*))?$", line)
        assert match, line
        part = section if match[1] else "Outside of any section"
        entry = entries("vw-controller.yaml.5", part).get(match[2])
        assert entry, f"{part} {match[2]} is not described"
        if match[5] == "default" and re.fullmatch(r"[\w.:]+", match[3]) and match[2] not in ("replica", "endpoint", "url"):
            assert f"default is {match[3]}" in entry, f"{part} {match[2]}: the default is {match[3]}"
        seen.add((part, match[2]))
    assert len(seen) > 25


def test_the_manual_page_is_made_from_the_tables(controller):
    help_text = controller.cli("help").out
    page = (MAN / "vw-controller.1").read_text()
    for command in re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", help_text, re.M):
        assert f".Ss {command}" in page, command
