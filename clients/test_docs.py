"""The samples in the documentation, run as they stand there, print what the documentation says."""

import json
import re
import subprocess
import time

import pytest
import requests

import markdown
from running import ROOT, TIDEMARK, environment

PAGES = {name: markdown.read(ROOT / "docs" / name) for name in ("api.md", "csv.md", "migrating.md")}
SAMPLES = [sample for page in PAGES.values() for sample in page.samples]
# The pages after the first build on its files.
FILES = {name: text for page in PAGES.values() for name, text in page.files.items()}
PATIENCE = 60

# What is another value every time, and what stands for it when two outputs are compared.
VARIABLE = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|\+00:00)"), r"TIME\1"),
    (re.compile(r"https://[^/\"]+/docs/"), "https://HOST/docs/"),
    (re.compile(r'("next_page_token": ?)"[\w-]+"'), r'\1"TOKEN"'),
)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_a_sample_prints_what_the_page_says(sample, server, tmp_path, python):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    key = server.new_key()
    own = environment(
        TIDEMARK_URL=server.url,
        TIDEMARK_API_KEY=key,
        TIDEMARK_CA=str(server.ca),
        NODE_EXTRA_CA_CERTS=str(server.ca),
        PYTHONDONTWRITEBYTECODE="1",
        BATCH_ID=finished_batch(server, key),
    )
    own["PATH"] = f"{TIDEMARK.parent}:{own['PATH']}"
    script = tmp_path / {"sh": "sample.sh", "python": "sample.py", "javascript": "sample.mjs"}[sample.language]
    script.write_text(sample.code, encoding="utf-8")
    command = {"sh": ["sh", "-eu", script], "python": [python, "-W", "error", script], "javascript": ["node", script]}
    done = subprocess.run(
        command[sample.language], cwd=tmp_path, env=own, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert sample.output is not None, "the page does not say what this sample prints"
    assert comparable(done.stdout, sample.prints_json) == comparable(sample.output, sample.prints_json)


def finished_batch(server, key: str) -> str:
    """The batch that the samples call BATCH_ID: batch.json of the API's page."""

    def ask(method: str, path: str, **more) -> dict:
        headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
        url, patience = server.url + path, PATIENCE
        return requests.request(method, url, headers=headers, verify=str(server.ca), timeout=patience, **more).json()

    # A key of its own, so that the samples may send the same body for the first time.
    headers = {"Content-Type": "application/json", "Idempotency-Key": "fixture"}
    body = FILES["batch.json"].encode()
    batch_id = ask("POST", "/v1/balance_requests", data=body, headers=headers)["batch_id"]
    deadline = time.monotonic() + PATIENCE
    while ask("GET", f"/v1/balance_requests/{batch_id}")["status"] != "COMPLETED":
        assert time.monotonic() < deadline, "the batch does not complete"
        time.sleep(0.05)
    return batch_id


def comparable(output: str, is_json: bool):
    """An output without what is another value every time."""
    for pattern, instead in VARIABLE:
        output = pattern.sub(instead, output)
    if not is_json:
        return [line.rstrip() for line in output.splitlines()]
    values, decoder, rest = [], json.JSONDecoder(), output.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        values.append(value)
        rest = rest[end:].lstrip()
    return values


def test_every_page_has_samples_in_every_language():
    for name in ("api.md", "csv.md"):
        assert {sample.language for sample in PAGES[name].samples} == set(markdown.RUN), name


def test_a_sample_without_an_output_and_an_output_without_a_sample_are_told_apart(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```sh\na\n```\n\n```python\nb\n```\n```json output\n1\n```\n```sh\nc\n```\n```csv x.csv\nd\n```\n")
    read = markdown.read(page)
    assert [(one.language, one.output) for one in read.samples] == [("sh", "1\n"), ("python", "1\n"), ("sh", None)]
    assert read.files == {"x.csv": "d\n"}
    assert comparable('{"a": 1}\n{"b": "2026-01-01T00:00:00Z"}', True) == [{"a": 1}, {"b": "TIMEZ"}]


LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name):
    page = ROOT / "docs" / name
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / path if path else page
        assert target.exists(), path
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{path}#{anchor}"


def anchors(text: str) -> set[str]:
    """The headings' anchors, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
