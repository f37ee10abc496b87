"""Commands and what is desired, from a controller that is not ours: done once, answered always, expired, forbidden, unknown (S9)."""

import hashlib
import json
import time
import uuid

import pytest
from fleet_peer import now_ms
from protos import fleet_pb2
from uplink import Uplink

pytestmark = pytest.mark.tsan

STATES = {name: getattr(fleet_pb2, f"COMMAND_STATE_{name}") for name in
          ("RUNNING", "DONE", "FAILED", "REFUSED", "EXPIRED", "UNSUPPORTED")}


class Script:
    """A stream that is steered by the test's own thread: welcomed, everything stored, `act(session)` once."""

    def __init__(self, peer, *acts, **welcome):
        self.updates, self.applied = [], []
        peer.behaviours = [self._behave(act, welcome) for act in acts] + [self._behave(None, welcome)]

    def _behave(self, act, welcome):
        def behave(session):
            session.welcome(**welcome)
            if act:
                act(session)
            session.stay()

        return behave


def updates(peer, id):
    return [m.command for s in peer.streams for m in s.seen if m.WhichOneof("body") == "command" and m.command.id == id]


def applied(peer):
    return [m.applied for s in peer.streams for m in s.seen if m.WhichOneof("body") == "applied"]


def wait_for(find, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
    return found


def told(peer, id, state, seconds=10.0):
    return wait_for(lambda: [u for u in updates(peer, id) if u.state == STATES[state]], seconds)[-1]


def test_a_command_is_handed_out_done_and_told(peer, uplink):
    id = str(uuid.uuid4())
    Script(peer, lambda s: s.command("SYNC", id=id, depth="full", model="churn"))
    peer.serve()
    uplink.start()
    command = uplink.command()
    assert (command["id"], command["kind"], command["depth"], command["model"]) == (id, "sync", "full", "churn")
    told(peer, id, "RUNNING")
    uplink.do(f"progress {id} 3 10 reading")
    wait_for(lambda: [u for u in updates(peer, id) if u.done == 3 and u.total == 10 and u.text == "reading"])
    uplink.do(f"finish {id} done two versions changed")
    update = told(peer, id, "DONE")
    assert update.text == "two versions changed" and json.loads(update.result) == {"by": "driver"}
    assert uplink.ask(f"finish {id} done again")["code"] != 0
    assert uplink.ask("finish nobody done")["code"] != 0
    uplink.wait(lambda s: s["acknowledged"] == s["last"])
    uplink.stop()
    received, finished = uplink.audit("command_received"), uplink.audit("command_finished")
    assert [r["audit"]["subject"] for r in received] == [id] == [r["audit"]["subject"] for r in finished]
    assert "sync of churn, issued by test" in received[0]["text"] and "two versions changed" in finished[0]["text"]
    uplink.agent.verify()


def test_progress_is_told_once_a_second_at_most(peer, uplink):
    id = str(uuid.uuid4())
    Script(peer, lambda s: s.command("SYNC", id=id))
    peer.serve()
    uplink.start()
    uplink.command()
    began = time.monotonic()
    while time.monotonic() - began < 2.5:
        uplink.do(f"progress {id} {int(1000 * (time.monotonic() - began))} 2500 working")
    wait_for(lambda: updates(peer, id)[-1].done > 2000)
    assert 2 <= len(updates(peer, id)) <= 5


def test_delivered_again_it_is_answered_and_not_done_again(peer, uplink):
    id = str(uuid.uuid4())
    Script(peer, lambda s: [s.command("SYNC", id=id) for _ in range(3)], lambda s: s.command("SYNC", id=id))
    peer.serve()
    uplink.start()
    assert uplink.command()["id"] == id
    assert uplink.ask("next") is None
    uplink.do(f"finish {id} failed MLflow is away")
    told(peer, id, "FAILED")
    uplink.wait(lambda s: s["acknowledged"] == s["last"])
    uplink.stop()
    uplink.start()
    peer.wait_for_stream(2)
    wait_for(lambda: [m for m in peer.streams[1].seen if m.WhichOneof("body") == "command"])
    assert uplink.ask("next") is None
    assert updates(peer, id)[-1].state == STATES["FAILED"]
    uplink.stop()
    assert len(uplink.audit("command_received")) == 1 == len(uplink.audit("command_finished"))


def test_after_a_crash_it_is_handed_out_again(peer, uplink):
    id = str(uuid.uuid4())
    Script(peer, lambda s: s.command("REEVALUATE", id=id))
    peer.serve()
    uplink.start()
    uplink.command()
    uplink.kill()
    uplink.start()
    assert uplink.command()["id"] == id
    uplink.do(f"finish {id} done")
    told(peer, id, "DONE")
    uplink.stop()
    assert len(uplink.audit("command_received")) == 1


def test_an_end_is_told_until_its_entry_is_acknowledged(peer, uplink):
    """The stream breaks with the update on its way: the next stream tells it again. Once acknowledged, no more."""
    id = str(uuid.uuid4())

    def first(session):
        session.welcome()
        session.command("SYNC", id=id)
        session.receive("command", test=lambda u: u.state == STATES["DONE"])
        session.end()  # heard, and forgotten

    peer.behaviours = [first, lambda s: (s.welcome(), s.stay())]
    peer.serve()
    uplink.start()
    uplink.command()
    uplink.do(f"finish {id} done")
    second = peer.wait_for_stream(2)
    wait_for(lambda: [m for m in second.seen if m.WhichOneof("body") == "command" and m.command.id == id])
    uplink.wait(lambda s: s["acknowledged"] == s["last"])
    uplink.stop()
    uplink.start()
    third = peer.wait_for_stream(3)
    uplink.wait(lambda s: s["phase"] == "connected")
    wait_for(lambda: [m for m in third.seen if m.WhichOneof("body") == "health"])
    time.sleep(0.3)
    assert not [m for m in third.seen if m.WhichOneof("body") == "command"]


def unknown_kind(session, id):
    session.outgoing.put(fleet_pb2.ControllerMessage(command=fleet_pb2.Command.FromString(
        fleet_pb2.Command(id=id, expires_at=now_ms() + 60000).SerializeToString() + b"\x10\x63")))


@pytest.mark.parametrize("what, state", [("late", "EXPIRED"), ("forbidden", "REFUSED"), ("unknown", "UNSUPPORTED"),
                                         ("no kind", "UNSUPPORTED"), ("no secrets", "REFUSED")])
def test_what_is_not_done_is_said(peer, uplink, what, state):
    id = str(uuid.uuid4())
    acts = {"late": lambda s: s.command("SYNC", id=id, expires_at=now_ms() - 1000),
            "forbidden": lambda s: s.command("DIAGNOSE", id=id),
            "unknown": lambda s: unknown_kind(s, id),
            "no kind": lambda s: s.send(command=fleet_pb2.Command(id=id)),
            "no secrets": lambda s: s.command("SET_SECRETS", id=id)}
    Script(peer, acts[what])
    peer.serve()
    uplink.start("diagnose", "set_policy", secrets=False)
    assert told(peer, id, state).text
    assert uplink.ask("next") is None
    hello = peer.streams[0].hello
    assert list(hello.refuses) == ["diagnose", "set_policy"] and "secrets" not in hello.capabilities
    uplink.stop()
    assert len(uplink.audit("command_received")) == 1 == len(uplink.audit("command_finished"))


def test_it_is_not_begun_when_it_waited_here_too_long(peer, uplink):
    id = str(uuid.uuid4())
    Script(peer, lambda s: s.command("SYNC", id=id, expires_at=now_ms() + 1500))
    peer.serve()
    uplink.start()
    uplink.wait(lambda s: s["phase"] == "connected")
    time.sleep(2)
    assert uplink.ask("next") is None
    assert "until its time was over" in told(peer, id, "EXPIRED").text


def test_expiry_is_by_the_controllers_clock(peer, uplink):
    """The controller is an hour ahead: what expires in half an hour by our clock has expired."""
    id, other = str(uuid.uuid4()), str(uuid.uuid4())
    Script(peer, lambda s: (s.command("SYNC", id=id, expires_at=now_ms() + 1800_000),
                            s.command("SYNC", id=other, expires_at=now_ms() + 5400_000)), server_time=now_ms() + 3600_000)
    peer.serve()
    uplink.start()
    assert uplink.command()["id"] == other
    told(peer, id, "EXPIRED")


@pytest.mark.parametrize("id", ["", "x" * 200, "with space", "ä", "desired:" + "0" * 64, "applied:policy"])
def test_a_command_without_a_usable_id_is_passed_over(peer, uplink, id):
    good = str(uuid.uuid4())
    Script(peer, lambda s: (s.command("SYNC", id=id or None) if id else s.send(command=fleet_pb2.Command(kind=1)),
                            s.command("SYNC", id=good)))
    peer.serve()
    uplink.start()
    assert uplink.command()["id"] == good
    assert uplink.logged("command_not_taken")


def test_a_flood_of_commands_is_capped(peer, uplink):
    ids = [str(uuid.uuid4()) for _ in range(100)]
    Script(peer, lambda s: [s.command("SYNC", id=id) for id in ids])
    peer.serve()
    uplink.start()
    wait_for(lambda: len([1 for id in ids if any(u.state == STATES["REFUSED"] for u in updates(peer, id))]) == 36, 30)
    assert [uplink.command()["id"] for _ in range(64)] == ids[:64]
    assert uplink.ask("next") is None


def test_resend_goes_back_and_is_done_when_all_is_acknowledged_again(peer, uplink):
    id = str(uuid.uuid4())

    def act(session):
        session.store(60)
        session.command("RESEND", id=id, from_sequence=11)

    Script(peer, act, batch_entries=20)
    uplink.start()
    uplink.append(60)
    peer.serve()
    update = told(peer, id, "DONE")
    assert "entries 11 to" in update.text and peer.chain.duplicates >= 50
    uplink.wait(lambda s: s["acknowledged"] == s["last"] >= 60)


@pytest.mark.parametrize("sequence", [0, 10**9])
def test_resend_of_what_there_is_not_fails(peer, uplink, sequence):
    id = str(uuid.uuid4())
    Script(peer, lambda s: s.command("RESEND", id=id, from_sequence=sequence))
    peer.serve()
    uplink.start()
    told(peer, id, "FAILED")


def test_resend_survives_a_broken_stream(peer, uplink):
    id = str(uuid.uuid4())

    def first(session):
        session.welcome()
        session.store(40)
        session.command("RESEND", id=id, from_sequence=1)
        session.receive("batch", test=lambda b: b.first_sequence == 1)
        session.end()

    peer.behaviours = [first, lambda s: (s.welcome(), s.stay())]
    uplink.start()
    uplink.append(40)
    peer.serve()
    told(peer, id, "DONE")
    assert peer.chain.duplicates >= 40


# ---- what is desired ----

POLICY = b"rules: []\n"
HASH = hashlib.sha256(POLICY).digest()


def desired(content=POLICY, sha256=None, what="policy"):
    file = fleet_pb2.DesiredFile(sha256=sha256 or hashlib.sha256(content).digest(), content=content)
    return fleet_pb2.Desired(**{what: file})


@pytest.mark.parametrize("when", ["with the welcome", "later"])
@pytest.mark.parametrize("what", ["policy", "configuration"])
def test_what_is_desired_is_applied_once(peer, uplink, when, what):
    if when == "later":
        Script(peer, lambda s: [s.send(desired=desired(what=what)) for _ in range(2)],
               lambda s: s.send(desired=desired(what=what)))
    else:
        Script(peer, None, None, desired=desired(what=what))
    peer.serve()
    uplink.start()
    command = uplink.command()
    id = f"desired:{HASH.hex()}"
    assert command["id"] == id and command["kind"] == f"set_{what}"
    assert uplink.ask("next") is None
    uplink.do(f"finish {id} done")
    done = wait_for(lambda: [a for a in applied(peer) if a.state == fleet_pb2.APPLY_STATE_APPLIED])[-1]
    assert done.what == what and done.sha256 == HASH
    uplink.wait(lambda s: s["acknowledged"] == s["last"])
    uplink.stop()
    uplink.start()
    hello = peer.wait_for_stream(2).hello
    assert (hello.policy_sha256 if what == "policy" else hello.config_sha256) == HASH
    wait_for(lambda: len([a for a in applied(peer) if a.state == fleet_pb2.APPLY_STATE_APPLIED]) >= 2)
    assert uplink.ask("next") is None


def test_what_failed_is_not_tried_again_unchanged(peer, uplink):
    other = b"rules: [ ]\n"
    Script(peer, lambda s: s.send(desired=desired()), lambda s: (s.send(desired=desired()), s.send(desired=desired(other))))
    peer.serve()
    uplink.start()
    uplink.command()
    uplink.do(f"finish desired:{HASH.hex()} failed line 1 makes no sense")
    failed = wait_for(lambda: [a for a in applied(peer) if a.state == fleet_pb2.APPLY_STATE_FAILED])[-1]
    assert failed.text == "line 1 makes no sense"
    uplink.stop()
    uplink.start()
    command = uplink.command()
    assert command["id"] == f"desired:{hashlib.sha256(other).hexdigest()}"
    assert uplink.ask("next") is None


def test_what_was_replaced_can_be_desired_again(peer, uplink):
    other = b"rules: [ ]\n"
    Script(peer, lambda s: s.send(desired=desired()), lambda s: s.send(desired=desired(other)),
           lambda s: s.send(desired=desired()))
    peer.serve()
    for content in (POLICY, other, POLICY):
        uplink.start()
        command = uplink.command()
        assert command["id"] == f"desired:{hashlib.sha256(content).hexdigest()}"
        uplink.do(f"finish {command['id']} done")
        uplink.wait(lambda s: s["acknowledged"] == s["last"])
        uplink.stop()


def test_back_to_the_local_file(peer, uplink):
    Script(peer, lambda s: s.send(desired=desired()), lambda s: s.send(desired=desired(b"")),
           lambda s: s.send(desired=desired(b"")))
    peer.serve()
    for _ in range(2):
        uplink.start()
        uplink.do(f"finish {uplink.command()['id']} done")
        uplink.wait(lambda s: s["acknowledged"] == s["last"])
        uplink.stop()
    uplink.start()
    assert not peer.wait_for_stream(3).hello.HasField("policy_sha256")
    uplink.wait(lambda s: s["phase"] == "connected")
    time.sleep(0.3)
    assert uplink.ask("next") is None


def test_a_file_with_another_hash_is_not_taken(peer, uplink):
    Script(peer, lambda s: s.send(desired=desired(sha256=b"\1" * 32)))
    peer.serve()
    uplink.start()
    wait_for(lambda: uplink.logged("desired_file_damaged"))
    assert uplink.ask("next") is None


def test_desired_secrets_are_handed_out(peer, uplink):
    secrets = fleet_pb2.SecretSet(secrets=[fleet_pb2.SealedSecret(name="mlflow.token", version=3, sealed=b"\0" * 60)])
    Script(peer, lambda s: s.send(desired=fleet_pb2.Desired(secrets=secrets)))
    peer.serve()
    uplink.start()
    command = uplink.command()
    assert command["kind"] == "set_secrets" and command["secrets"][0]["name"] == "mlflow.token"
    uplink.do(f"finish {command['id']} failed not sealed to this agent")
    assert wait_for(lambda: [a for a in applied(peer) if a.what == "secrets" and a.state == fleet_pb2.APPLY_STATE_FAILED])
