"""How fast the PostgreSQL store takes ledgers in, against COPY of the same rows into the same tables.

    postgres.py BENCH_INGEST [AGENTS [ENTRIES [BATCH]]]

A private cluster with its default settings (fsync on). bench_ingest stores the ledgers (tests/bench/ingest.c) as a role under row-level security, batch
by batch, each committed. Then the rows that it made are copied out, the tables emptied, and COPY FROM puts them back: each table in one statement, all in one
transaction, by a superuser, in binary. That is the fastest way to put these rows there, and does nothing of what ingest does: no verification, no upserts, one
commit. Three runs; the ratio of each is of its own pair.
"""

import pathlib
import re
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "python")]

import servers  # noqa: E402

TABLES = ("ledger", "versions", "gaps", "deployment_events")
RUNS = 3


class Cluster(servers.Postgres):
    """As it is installed, but for its place."""

    def start(self):
        extra = {"user": self.user} if self.user else {}
        subprocess.run([self.binary("initdb"), "-D", self.dir / "data", "-U", "mlflow", "--auth=trust", "-E", "UTF8",
                        "--locale=C.UTF-8"], check=True, capture_output=True, timeout=60, cwd=self.dir, **extra)
        self.process = servers.start_process(
            [self.binary("postgres"), "-D", self.dir / "data", "-p", str(self.port), "-k", str(self.dir),
             "-h", "127.0.0.1"], self.dir / "log", cwd=self.dir, **extra)
        end = time.monotonic() + 30
        while True:
            try:
                self.sql("postgres", "SELECT 1")
                return
            except subprocess.CalledProcessError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def sql(self, database, *statements):
        command = [self.binary("psql"), "-h", str(self.dir), "-p", str(self.port), "-U", "mlflow", "-d", database,
                   "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        for statement in statements:
            command += ["-c", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout.strip()

    def owner_url(self, database):
        return f"postgresql://fleet_owner@/{database}?host={self.dir}&port={self.port}"


def copy_seconds(cluster, database):
    files = {table: f"{cluster.dir}/{table}.copy" for table in TABLES}
    for table, path in files.items():
        cluster.sql(database, f"COPY (SELECT * FROM verifywise_fleet.{table}) TO '{path}' (FORMAT binary)")
    cluster.sql(database, *(f"TRUNCATE verifywise_fleet.{table}" for table in TABLES), "CHECKPOINT")
    begin = time.monotonic()
    cluster.sql(database, "BEGIN", *(f"COPY verifywise_fleet.{table} FROM '{path}' (FORMAT binary)"
                                     for table, path in files.items()), "COMMIT")
    took = time.monotonic() - begin
    for path in files.values():
        pathlib.Path(path).unlink()
    return took


def main():
    program, *numbers = sys.argv[1:]
    cluster = Cluster()
    ratios = []
    try:
        cluster.start()
        cluster.sql("postgres", "CREATE ROLE fleet_owner LOGIN CREATEROLE")
        for run in range(RUNS):
            database = f"bench{run}"
            cluster.sql("postgres", f"CREATE DATABASE {database} OWNER fleet_owner", "CHECKPOINT")
            out = subprocess.run([program, cluster.owner_url(database), *numbers], check=True, capture_output=True,
                                 text=True, timeout=1200).stdout
            took = float(re.search(r"([\d.]+) s, (\d+) entries/s", out).group(1))
            copied = copy_seconds(cluster, database)
            ratios.append(copied / took)
            print(out, end="")
            print(f"COPY of the same rows            {copied:8.2f} s; ingest has {ratios[-1]:.2f} of its speed")
            cluster.sql("postgres", f"DROP DATABASE {database}")
        print(f"ingest against COPY: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")
    finally:
        cluster.stop()


main()
