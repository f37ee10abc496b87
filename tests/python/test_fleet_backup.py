"""What docs/operations.md says of backups: a store that was put back is filled again by its agents, and a folder that was lost with its
authority is not missed once a copy is there (S10)."""

import shutil
import subprocess

import pytest
from fleet import STORES, fleet_of


@pytest.fixture(params=STORES)
def fleet(request, tmp_path):
    fleet = fleet_of(request.param, tmp_path)
    yield fleet
    fleet.end()


def pg(controller, program, *arguments, stdin=None):
    # as the owner of the cluster: under row-level security the owner of the tables would read none of them
    url = controller.database.url(controller.name, "mlflow")
    done = subprocess.run([controller.database.binary(program), *arguments, url], input=stdin, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def back_up(controller, copy):
    if controller.database:
        copy.write_bytes(pg(controller, "pg_dump", "--format=custom", "--schema=verifywise_fleet"))  # while it runs
        return
    controller.stop()
    shutil.copytree(controller.data / "store", copy)
    controller.start()


def put_back(controller, copy):
    if controller.database:
        pg(controller, "psql", "-qc", "DROP SCHEMA verifywise_fleet CASCADE")
        pg(controller, "pg_restore", "--exit-on-error", str(copy), "-d")
        return
    shutil.rmtree(controller.data / "store")
    shutil.copytree(copy, controller.data / "store")


def test_a_store_that_was_put_back_is_filled_again(fleet, small, tmp_path):
    controller = fleet.controller
    m = fleet.member(uri=small).start().connected()
    m.wait_syncs(1)
    m.caught_up()
    back_up(controller, tmp_path / "copy")
    before = m.connected(30).stored()
    for _ in range(3):  # streams and entries that the copy does not know
        m.reload("reloaded")
        m.connected()
        m.order("sync")
    m.caught_up()
    after = m.stored()
    assert after > before
    controller.stop()
    put_back(controller, tmp_path / "copy")
    controller.start()
    m.connected(30).caught_up()
    assert m.stored() >= after and m.shown()["status"] == "active"
    m.same_ledger()
    m.order("rotate_certificate")  # it can renew too
    m.order("sync")
    assert "controller_behind" in m.log


def test_a_certificate_that_the_store_forgot(fleet, small, tmp_path):
    """One that was renewed since the backup: the agent gets another with its enrolment key."""
    controller = fleet.controller
    m = fleet.member(uri=small).start().connected()
    m.caught_up()
    back_up(controller, tmp_path / "copy")
    m.connected(30).order("rotate_certificate")
    m.caught_up()
    m.stop()
    controller.stop()
    put_back(controller, tmp_path / "copy")
    controller.start()
    m.start()
    m.wait(lambda: m.value("controller_state", state="refused") == 1)
    assert m.progress()[1]["controller"]["rejection"] == "revoked"
    m.stop()
    (m.agent.state / "identity" / "current.pem").unlink()
    m.start().connected().caught_up().same_ledger()


def test_the_folder_is_lost_and_its_authority_is_put_back(fleet, small, tmp_path):
    controller = fleet.controller
    m = fleet.member(uri=small).start().connected()
    m.caught_up()
    shutil.copytree(controller.data / "authority", tmp_path / "authority")
    if not controller.database:
        controller.stop()
        shutil.copytree(controller.data / "store", tmp_path / "store")
    controller.stop()
    shutil.rmtree(controller.data)
    controller.data.mkdir(mode=0o700)
    shutil.copytree(tmp_path / "authority", controller.data / "authority")
    if not controller.database:
        shutil.copytree(tmp_path / "store", controller.data / "store")
    said = controller.cli("init").out
    assert "authority: kept" in said and ("store: lmdb is kept" in said or "store: postgresql is ready" in said)
    controller.start()
    m.connected(30).caught_up().same_ledger()
