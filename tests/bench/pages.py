"""What a page's size costs the server: milliseconds for a row, of each listing, on MLflow 3.x and 2.22. The agent's page sizes come from here.

    pages.py           prints a table
"""

import json
import statistics
import sys
import time
import urllib.parse
import urllib.request

import bench
import fill

SIZES = {"registered-models/search": (50, 100, 200, 500, 1000), "model-versions/search": (100, 200, 400, 1000, 4000),
         "runs/search": (50, 100, 200, 400, 1000)}
MODELS, VERSIONS, ROUNDS = 1000, 10000, 3


def ask(url, body=None):
    request = urllib.request.Request(url, data=json.dumps(body).encode() if body else None,
                                     headers={"Content-Type": "application/json"})
    begin = time.monotonic()
    with urllib.request.urlopen(request) as answer:
        answer = json.load(answer)
    return time.monotonic() - begin, answer


def one_page(server, listing, size):
    """Seconds and rows of one page in the middle of the listing."""
    base = f"{server.url}/api/2.0/mlflow/{listing}"
    if listing == "runs/search":
        ids = ",".join(f"'{fill.run_id(i)}'" for i in range(3000, 3000 + size))
        seconds, answer = ask(base, {"experiment_ids": [str(e) for e in range(fill.EXPERIMENTS + 1)], "run_view_type": "ALL",
                                     "filter": f"attributes.run_id IN ({ids})", "max_results": size})
        return seconds, len(answer["runs"])
    order = [("order_by", "name ASC")]
    if listing == "model-versions/search":
        order.append(("order_by", "version_number ASC"))
    query = [("max_results", str(size)), *order]
    _, first = ask(f"{base}?{urllib.parse.urlencode(query)}")
    if first.get("next_page_token"):
        query.append(("page_token", first["next_page_token"]))
    seconds, answer = ask(f"{base}?{urllib.parse.urlencode(query)}")
    return seconds, len(next(v for v in answer.values() if isinstance(v, list)))


def measure(server, name):
    for listing, sizes in SIZES.items():
        cells = []
        for size in sizes:
            pages = [one_page(server, listing, size) for _ in range(ROUNDS)]
            cells.append(f"{size}: {statistics.median(seconds / rows for seconds, rows in pages) * 1000:.2f}")
        print(f"| {name} | {listing} | {', '.join(cells)} |", flush=True)


def main():
    print("| MLflow | listing | rows a page: ms for a row |\n|---|---|---|")
    for version, name in (("main", "3.x"), ("222", "2.22")):
        with bench.BenchServer(MODELS, VERSIONS, version) as server:
            measure(server, name)


if __name__ == "__main__":
    sys.exit(main())
