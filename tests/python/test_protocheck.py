"""ci/protocheck refuses each kind of breaking change of the schema, and lets additions pass."""
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]

SCHEMA = """\
syntax = "proto2";
package verifywise.v1;

service Fleet {
  rpc Session(stream Up) returns (stream Down);
  rpc Ask(Up) returns (Down);
}

enum Stage {
  STAGE_NONE = 0;
  STAGE_STAGING = 1;
}

message Up {
  optional string name = 1;
  optional int64 count = 2;
  repeated string tags = 3;
  optional Stage stage = 4;
  optional Down last = 5;
  oneof body {
    string text = 6;
    bytes data = 7;
  }
  reserved 9;
  reserved "gone";
}

message Down {
  optional uint64 sequence = 1;
}

message Spare {
  optional bool used = 1;
}
"""

BREAKS = {
    "a field is removed": ("  optional int64 count = 2;\n", ""),
    "a field is removed and its number and name reserved": ("  optional int64 count = 2;", '  reserved 2; reserved "count";'),
    "a field is renumbered": ("int64 count = 2", "int64 count = 12"),
    "two fields swap their numbers": ("name = 1;\n  optional int64 count = 2", "name = 2;\n  optional int64 count = 1"),
    "a field is renamed": ("int64 count = 2", "int64 number = 2"),
    "a field has another name in JSON": ("int64 count = 2", 'int64 count = 2 [json_name = "number"]'),
    "a field has another type": ("optional int64 count", "optional string count"),
    "a field has a type of the same wire format": ("optional int64 count", "optional uint64 count"),
    "a field has another message in it": ("optional Down last", "optional Spare last"),
    "a field has another enum in it": ("optional Stage stage = 4", "optional int32 stage = 4"),
    "a repeated field is optional": ("repeated string tags", "optional string tags"),
    "an optional field is repeated": ("optional string name", "repeated string name"),
    "an optional field is required": ("optional string name", "required string name"),
    "a field leaves its oneof": ("    bytes data = 7;\n  }", "  }\n  optional bytes data = 7;"),
    "a oneof has another name": ("oneof body", "oneof content"),
    "a reserved number is free again": ("  reserved 9;\n", ""),
    "a reserved name is free again": ('  reserved "gone";\n', ""),
    "an enum value is removed": ("  STAGE_STAGING = 1;\n", ""),
    "an enum value has another number": ("STAGE_STAGING = 1", "STAGE_STAGING = 2"),
    "an enum value has another name": ("STAGE_STAGING = 1", "STAGE_TEST = 1"),
    "an enum is removed": ("enum Stage {\n  STAGE_NONE = 0;\n  STAGE_STAGING = 1;\n}\n", ""),
    "a message is removed": ("message Spare {\n  optional bool used = 1;\n}\n", ""),
    "a message is renamed": ("message Spare", "message Other"),
    "a call is removed": ("  rpc Ask(Up) returns (Down);\n", ""),
    "a call takes another message": ("rpc Ask(Up)", "rpc Ask(Spare)"),
    "a call answers another message": ("rpc Ask(Up) returns (Down)", "rpc Ask(Up) returns (Spare)"),
    "a call's requests are no stream any more": ("Session(stream Up)", "Session(Up)"),
    "a call's answers are no stream any more": ("returns (stream Down)", "returns (Down)"),
    "a service is renamed": ("service Fleet", "service Agents"),
    "the package is renamed": ("package verifywise.v1", "package verifywise.v2"),
}

ADDITIONS = {
    "nothing": ("", ""),
    "a field": ("optional uint64 sequence = 1;", "optional uint64 sequence = 1;\n  repeated string more = 2;"),
    "a field of a oneof": ("bytes data = 7;", "bytes data = 7;\n    Down down = 8;"),
    "an enum value": ("STAGE_STAGING = 1;", "STAGE_STAGING = 1;\n  STAGE_PRODUCTION = 2;"),
    "a message": ("message Spare", "message New {\n  optional bool used = 1;\n}\n\nmessage Spare"),
    "a call": ("rpc Ask(Up) returns (Down);", "rpc Ask(Up) returns (Down);\n  rpc Tell(Up) returns (Down);"),
    "a reserved number": ("reserved 9;", "reserved 9, 10;"),
    "a comment": ("optional bool used = 1;", "optional bool used = 1;  // sometimes"),
    "another order": ("  optional string name = 1;\n  optional int64 count = 2;\n",
                      "  optional int64 count = 2;\n  optional string name = 1;\n"),
}


def protocheck(*arguments):
    return subprocess.run([TOP / "ci/protocheck", *arguments], capture_output=True, text=True, timeout=900)


@pytest.fixture(scope="module", name="accepted")
def accepted_fixture(tmp_path_factory):
    """A folder with a small schema, which is its baseline."""
    folder = tmp_path_factory.mktemp("accepted")
    (folder / "verifywise/v1").mkdir(parents=True)
    (folder / "verifywise/v1/some.proto").write_text(SCHEMA)
    shutil.copy(TOP / "proto/buf.yaml", folder)
    answer = protocheck("--accept", folder)
    assert answer.returncode == 0, answer.stderr
    return folder


def changed(accepted, folder, old, new):
    assert old in SCHEMA
    shutil.copytree(accepted, folder, dirs_exist_ok=True)
    (folder / "verifywise/v1/some.proto").write_text(SCHEMA.replace(old, new, 1))
    return folder


@pytest.mark.parametrize("old, new", BREAKS.values(), ids=BREAKS.keys())
def test_a_break_is_refused(accepted, tmp_path, old, new):
    if old.startswith("enum Stage"):
        # its field goes with it, or the schema could not be read at all
        schema = SCHEMA.replace("  optional Stage stage = 4;\n", "")
        folder = changed(accepted, tmp_path, old, new)
        (folder / "verifywise/v1/some.proto").write_text(schema.replace(old, new))
    else:
        folder = changed(accepted, tmp_path, old, new)
    answer = protocheck(folder)
    assert answer.returncode == 100, answer.stderr  # buf: it was read, and is refused
    assert answer.stdout.strip()


@pytest.mark.parametrize("old, new", ADDITIONS.values(), ids=ADDITIONS.keys())
def test_an_addition_passes(accepted, tmp_path, old, new):
    answer = protocheck(changed(accepted, tmp_path, old, new))
    assert (answer.returncode, answer.stdout) == (0, ""), answer.stderr


def test_a_file_is_not_removed(accepted, tmp_path):
    folder = changed(accepted, tmp_path, "", "")
    (folder / "verifywise/v1/some.proto").rename(folder / "verifywise/v1/other.proto")
    assert protocheck(folder).returncode == 0  # where it stands is nobody's business
    (folder / "verifywise/v1/other.proto").write_text('syntax = "proto2";\npackage verifywise.v1;\n')
    assert protocheck(folder).returncode == 100


def test_a_deliberate_break_is_accepted_once(accepted, tmp_path):
    folder = changed(accepted, tmp_path, *BREAKS["a field is removed"])
    assert protocheck(folder).returncode == 100
    assert protocheck("--accept", folder).returncode == 0
    assert protocheck(folder).returncode == 0


def test_a_schema_that_cannot_be_read_is_no_pass(accepted, tmp_path):
    answer = protocheck(changed(accepted, tmp_path, "message Spare {", "message Spare"))
    assert answer.returncode not in (0, 100)


def test_without_a_baseline_nothing_passes(accepted, tmp_path):
    folder = changed(accepted, tmp_path, "", "")
    (folder / "baseline.binpb").unlink()
    assert protocheck(folder).returncode != 0


def test_of_our_own_schema_each_field_is_watched(tmp_path):
    assert protocheck().returncode == 0
    files = sorted((TOP / "proto/verifywise/v1").glob("*.proto"))
    assert {file.stem for file in files} >= {"record", "audit", "mlflow", "state", "fleet", "control"}
    for file in files:
        shutil.copytree(TOP / "proto", tmp_path / file.stem)
        copy = tmp_path / file.stem / "verifywise/v1" / file.name
        text, count = re.subn(r"^  (optional|repeated) \S+ (\w+) = 1;", r"  \1 bool \2_2 = 1;", copy.read_text(), count=1,
                              flags=re.M)
        assert count == 1
        copy.write_text(text)
        answer = protocheck(tmp_path / file.stem)
        assert answer.returncode == 100 and file.name in answer.stdout, file.name
