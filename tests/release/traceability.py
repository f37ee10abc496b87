#!/usr/bin/env python3
"""docs/traceability.md names every statement of the specification once, and only code and tests that exist.

A test is named as `tests/python/test_x.py::test_y` (pytest), `base_secret` or `base_secret::wipes` (ctest, one function of it),
`fuzz_json`, or `tests/release/x.sh` (run by tests/release/run). Code is a path. Everything is looked up in the sources, nothing is built.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TABLE = ROOT / "docs" / "traceability.md"

# Statements in each section of the specification: S1.1 to S1.5, and so on.
SECTIONS = {1: 5, 2: 2, 3: 5, 4: 7, 5: 5, 6: 6, 7: 6, 8: 6, 9: 1, 10: 5, 11: 6, 12: 3, 13: 1}
STATEMENTS = [f"S{section}.{n}" for section, last in SECTIONS.items() for n in range(1, last + 1)]
LATER = re.compile(r"later issue \((artifacts|console)\)")


def read(path):
    return path.read_text(encoding="utf-8") if path.is_file() else ""


# One suite of tests over both stores, and what only one of them has.
SUITES = {"store_pg_own_": "store_pg", "store_lmdb_own_": "store_lmdb", "store_pg_": "store", "store_lmdb_": "store"}


def unit_source(name):
    """The source of a ctest name, if its folder's CMakeLists.txt builds it; tests are named <folder>_<noun>."""
    folder, _, noun = name.partition("_")
    for prefix, place in SUITES.items():
        if name.startswith(prefix):
            folder, noun = place, name[len(prefix):]
            break
    if folder == "fuzz":
        cmake, source = ROOT / "tests/fuzz/CMakeLists.txt", ROOT / f"tests/fuzz/{noun}_fuzz.c"
    else:
        cmake, source = ROOT / f"tests/unit/{folder}/CMakeLists.txt", ROOT / f"tests/unit/{folder}/{noun}_test.c"
    listed = re.search(rf"(?<![a-z]){noun}(?![a-z_.])|NAME {name}\b", read(cmake))
    return read(source) if listed else ""


def release_check(path):
    """A script counts as a test if tests/release/run runs it."""
    return path in read(ROOT / "tests/release/run") and (ROOT / path).is_file()


def test_exists(name):
    path, _, function = name.partition("::")
    if path.startswith("tests/python/"):
        return re.search(rf"^def {function}\(", read(ROOT / path), re.MULTILINE) is not None
    if path.startswith("tests/release/"):
        return release_check(path)
    if not re.fullmatch(r"[a-z]+_[a-z_]+", path):
        return False
    source = unit_source(path)
    if not function:
        return bool(source)
    return re.search(rf"\b{function}\(void \*\*", source) is not None


def rows(text):
    """(statements, code, tests) of each row of the tables; a row may be about several statements."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and re.match(r"S\d+\.\d+\b", cells[0]):
            yield re.findall(r"S\d+\.\d+", cells[0]), cells[2], cells[3]


def faults(text):
    seen = []
    for statements, code, tests in rows(text):
        where = " ".join(statements)
        seen += statements
        for path in re.findall(r"`([^`]+)`", code):
            if not (ROOT / path).exists():
                yield f"{where}: no code at {path}"
        named = re.findall(r"`([^`]+)`", tests)
        for name in named:
            if not test_exists(name):
                yield f"{where}: no test {name}"
        if not named and not LATER.search(tests):
            yield f"{where}: neither a test nor the later issue that it belongs to"
    for statement in STATEMENTS:
        if seen.count(statement) != 1:
            yield f"{statement}: {seen.count(statement)} rows"
    for statement in sorted(set(seen) - set(STATEMENTS)):
        yield f"{statement}: the specification has no such statement"


def self_check():
    """That the checks above can fail."""
    bad = "| S1.1 | x | `agent/none.c` | `base_secret::none` |\n| S99.1 | x | | |\n"
    found = list(faults(bad))
    assert any("no code at agent/none.c" in f for f in found) and any("no test base_secret::none" in f for f in found)
    assert any(f.startswith("S99.1: neither") for f in found) and "S2.1: 0 rows" in found
    assert not test_exists("base_none") and not test_exists("tests/python/test_auth.py::test_none") and not test_exists("nonsense")
    assert test_exists("base_secret::wipes") and test_exists("fuzz_json")


def main():
    self_check()
    found = list(faults(read(TABLE)))
    print("\n".join(found) if found else f"{len(STATEMENTS)} statements are traced")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
