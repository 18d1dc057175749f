"""Requests made up by Schemathesis from the server's own document, with all of its checks.

    made_up.py [REQUESTS [SEED]]

Runs rounds with one seed after another until the server has answered so many requests. Two requesters take part, so
that whoever sees another's batch is found out. The server's log is read too: it must tell of no status from 500 on.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import requests

import sample
from running import Server, environment, use_environment

HERE = Path(__file__).resolve().parent
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# Cases that one round makes up for each operation in each phase.
FEW, MANY = 30, 200
# One round runs no longer, in seconds.
PATIENCE = 1_800


def run(least: int, seed: int, folder: Path, document: str | None = None) -> Counter:
    """Answers by status, at least so many. Raises `SystemExit` with the findings where there are any."""
    # No limit of requests, and accounts that fail end soon.
    server = Server(folder, TIDEMARK_REQUESTS_PER_SECOND="0")
    try:
        keys = [server.new_key(), server.new_key()]
        users = folder / "users.json"
        users.write_text(json.dumps({"auth": [user(f"lender{at}", key) for at, key in enumerate(keys)]}))
        config = folder / "schemathesis.toml"
        peers = '\n[auth.wfc]\npeers = ["lender0", "lender1"]\npath = '
        config.write_text((HERE / "schemathesis.toml").read_text() + peers + json.dumps(str(users)) + "\n")
        batches = [submitted(server, key) for key in keys]
        while (answers := answered(server)).total() < least:
            left = least - answers.total()
            one_round(server, config, batches, seed, MANY if left > 4_000 else FEW, document)
            seed += 1
    finally:
        server.stop()
    if failed := {status: count for status, count in answers.items() if status >= 500}:
        raise SystemExit(f"the server failed: {failed}\n{server.log.read_text()[-10_000:]}")
    return answers


def user(name: str, key: str) -> dict:
    return {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}]}


def submitted(server: Server, key: str) -> str:
    body, headers = {"authorizers": sample.authorizers()}, {"Authorization": f"Bearer {key}"}
    reply = requests.post(
        f"{server.url}/v1/balance_requests", json=body, headers=headers, verify=str(server.ca), timeout=60
    )
    return reply.json()["batch_id"]


def answered(server: Server) -> Counter:
    """How many requests the server has answered, by status, as its log tells."""
    lines = (json.loads(line) for line in server.log.open(encoding="utf-8"))
    told = (line["fields"] for line in lines)
    return Counter(fields["status"] for fields in told if fields.get("message") == "answered")


def one_round(server: Server, config: Path, batches: list[str], seed: int, cases: int, document: str | None) -> None:
    command = [SCHEMATHESIS, "--config-file", config, "run", document or f"{server.url}/v1/openapi.json"]
    command += ["--url", server.url, "--tls-verify", server.ca, "--checks", "all", "--no-color"]
    command += ["--seed", str(seed), "--max-examples", str(cases)]
    own = environment(TIDEMARK_BATCHES=",".join(batches), PYTHONPATH=str(HERE), PYTHONDONTWRITEBYTECODE="1")
    # In a folder of its own: it leaves caches where it works.
    done = subprocess.run(
        command,
        cwd=config.parent,
        env=own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout}\nFound with the seed {seed} and {cases} cases an operation.")


def main() -> None:
    use_environment()
    least = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1_000_000)
    print(f"{least} requests from the seed {seed} on …", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        answers = run(least, seed, Path(folder), os.environ.get("OPENAPI_DOCUMENT"))
    for status, count in sorted(answers.items()):
        print(f"{count:>8}  {status}")
    print(f"{answers.total()} requests, and nothing found.")


if __name__ == "__main__":
    main()
