"""Requests made up by Schemathesis from the server's own document, with all of its checks.

    made_up.py [REQUESTS [SEED]]

Runs rounds with one seed after another until the server has answered so many requests. In every other round two
requesters take part, so that whoever gets to see another's batch is found out. The server's log is read too: it must
tell of no status from 500 on.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import requests

import sample
from running import Server, environment, use_environment

HERE = Path(__file__).resolve().parent
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# Cases that one round makes up for each operation in each phase.
FEW, MANY = 30, 200
# A round ends within these seconds.
PATIENCE = 1_800


class Requester:
    """A requester with one complete batch."""

    def __init__(self, server: Server):
        # The document cannot say who may send cards, so these may.
        self.key = server.new_key(cards=True)
        self.batch = requests.post(
            f"{server.url}/v1/balance_requests",
            json={"authorizers": sample.authorizers()},
            headers={"Authorization": f"Bearer {self.key}"},
            verify=str(server.ca),
            timeout=60,
        ).json()["batch_id"]


@dataclass
class Cast:
    """Who takes part in a round, and the batches whose ids are made up, the likelier the more often they stand here."""

    config: Path
    batches: list[str]


def run(least: int, seed: int, folder: Path) -> Counter:
    """Answers by status, at least so many. Raises `SystemExit` with the findings where there are any."""
    server = Server(folder, TIDEMARK_REQUESTS_PER_SECOND="0")
    try:
        one, other = Requester(server), Requester(server)
        alone = Cast(one_requester(folder, one), [one.batch] * 6 + [other.batch])
        both = Cast(two_requesters(folder, one, other), [one.batch, other.batch])
        rounds = 0
        while (answers := answered(server)).total() < least:
            cases = MANY if least - answers.total() > FEW * MANY else FEW
            one_round(server, both if rounds % 2 else alone, seed + rounds, cases)
            rounds += 1
    finally:
        server.stop()
    if failed := {status: count for status, count in answers.items() if status >= 500}:
        raise SystemExit(f"the server failed: {failed}\n{server.log.read_text()[-10_000:]}")
    return answers


def one_requester(folder: Path, requester: Requester) -> Path:
    # By the scheme of the document, so that it can be left out; a header for all requests cannot.
    return configuration(folder / "one.toml", f"[auth.openapi.apiKey]\nbearer = {json.dumps(requester.key)}\n")


def two_requesters(folder: Path, *requesters: Requester) -> Path:
    names = [f"lender{number}" for number, _ in enumerate(requesters)]
    headers = [{"name": "Authorization", "value": f"Bearer {requester.key}"} for requester in requesters]
    users = folder / "users.json"
    users.write_text(
        json.dumps({"auth": [{"name": n, "fixedHeaders": [h]} for n, h in zip(names, headers, strict=True)]})
    )
    # Neither may see what is the other's.
    auth = f"[auth.wfc]\npath = {json.dumps(str(users))}\npeers = {json.dumps(names)}\n"
    return configuration(folder / "two.toml", auth)


def configuration(path: Path, auth: str) -> Path:
    path.write_text((HERE / "schemathesis.toml").read_text() + "\n" + auth)
    return path


def answered(server: Server) -> Counter:
    """How many requests the server has answered, by status, as its log tells."""
    with server.log.open(encoding="utf-8") as log:
        told = [json.loads(line)["fields"] for line in log]
    return Counter(fields["status"] for fields in told if fields.get("message") == "answered")


def one_round(server: Server, cast: Cast, seed: int, cases: int) -> None:
    command = [SCHEMATHESIS, "--config-file", cast.config, "run", f"{server.url}/v1/openapi.json"]
    command += ["--url", server.url, "--tls-verify", server.ca, "--checks", "all", "--no-color"]
    command += ["--seed", str(seed), "--max-examples", str(cases)]
    own = environment(TIDEMARK_BATCHES=",".join(cast.batches), PYTHONPATH=str(HERE), PYTHONDONTWRITEBYTECODE="1")
    # In the server's folder, for it leaves caches where it works.
    done = subprocess.run(
        command, cwd=server.log.parent, env=own, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout}{done.stderr}\nFound with the seed {seed} and {cases} cases an operation.")


def main() -> None:
    use_environment()
    least = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1_000_000)
    print(f"{least} requests, from the seed {seed} on …", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        answers = run(least, seed, Path(folder))
    for status, count in sorted(answers.items()):
        print(f"{count:>8}  {status}")
    print(f"{answers.total()} requests, and nothing found.")


if __name__ == "__main__":
    main()
