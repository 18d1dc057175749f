"""A server as months of use leave it: its batches, its people, and the pages that they look at."""

import random
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass

from . import browser, tidemark
from .bench import Bench
from .browser import Browser
from .export_data import Filled, fill, start_and_seal, until_none

DAYS = 90
PEOPLE = 500_000
UNFINISHED = 0.002
ACTS = 100_000
INDEXING_SECONDS = 3_600
DRAFT_ROWS = 5_000
ADMIN = "Ada Admin"
TEAM = {ADMIN: "admin", "Otto Operator": "operator", "Olga Operator": "operator", "Vera Viewer": "viewer"}
# Has a second factor.
CAREFUL = "Carla Careful"
# Others, who submit batches too.
OTHERS = 24

# Checks of the batches that run while pages are open, so slowly that they do for a while.
CHECKS = "[checks]\nper_second = 10\nburst = 10\n"


@dataclass
class Site:
    """A server that runs, everything done that it does in the background, with the users of its requester."""

    server: tidemark.Tidemark
    batches: Filled
    rows: int
    invited: str
    emails: dict[str, str]


def build(bench: Bench, server: tidemark.Tidemark, batches: int, rows: int) -> Site:
    emails = {name: browser.add(server, "Bench", name, role) for name, role in (TEAM | {CAREFUL: "viewer"}).items()}
    browser.enrol(browser.sign_in(server, emails[CAREFUL]))
    for number in range(OTHERS):
        browser.invite(server, "Bench", f"Other {number}", "operator")
    _, invited = browser.invite(server, "Bench", "Ida Invited", "viewer")
    server.run("requester", "add", "Other")
    browser.add(server, "Other", "Olaf Other", "admin")
    server.stop()
    over = DAYS * 86_400
    when = {"first_at": str(int(time.time()) - over), "between": str(max(1, over // batches))}
    filled = fill(
        server, batches=batches, rows=rows, seed=1, people=str(min(PEOPLE, batches * rows // 2)),
        unfinished=str(UNFINISHED), acts=str(ACTS), submitters="both", **when,
    )  # fmt: skip
    fill(server, batches=max(1, batches // 100), rows=rows, seed=2, requester="Other", **when)
    seconds = start_and_seal(server)
    seconds += until_none(lambda: _unindexed(bench, server), "authorizers are not indexed", INDEXING_SECONDS, pause=1)
    bench.say(f"{server.name}: everything is sealed, counted and indexed after {seconds:.0f} s")
    if "--database-url" in server.arguments:
        # As autovacuum does sooner or later.
        bench.postgres.psql("VACUUM ANALYZE", server.database_url.rpartition("/")[2])
    return Site(server, filled, rows, invited, emails)


def _unindexed(bench: Bench, server: tidemark.Tidemark) -> int:
    sql = "SELECT COUNT(*) FROM batches WHERE index_at IS NOT NULL"
    if "--database-url" in server.arguments:
        return int(bench.postgres.psql(sql, server.database_url.rpartition("/")[2]))
    with closing(sqlite3.connect(f"file:{server.folder / 'tidemark.db'}?mode=ro", uri=True)) as database:
        return database.execute(sql).fetchone()[0]


@dataclass
class Kind:
    """One kind of page: who looks at it, and addresses of its kind."""

    name: str
    browser: Browser
    # Behind a space the fields of a form, which is sent then.
    paths: list[str]


def _draft(faulty: bool) -> str:
    """A file of as many rows as a batch may have, every hundredth or each of them with a fault."""
    lines = ["authorizer_unique_id,first_name,last_name,phone_number,ssn,account_number,routing_number,meta_branch"]
    for row in range(DRAFT_ROWS):
        phone = "12" if faulty or row % 100 == 0 else f"505555{row:04}"
        lines.append(f"draft-{row:05},Ana,Peña,{phone},9{row:08},{row:010},026009593,North")
    return "\n".join(lines) + "\n"


def kinds(site: Site) -> list[Kind]:
    """Every page, with as many addresses of it as differ."""
    rng = random.Random(7)
    ada = browser.sign_in(site.server, site.emails[ADMIN])
    otto = browser.sign_in(site.server, site.emails["Otto Operator"])
    half_in = browser.sign_in(site.server, site.emails[CAREFUL])
    guest = Browser(site.server)
    batches = rng.sample(site.batches.finished, min(300, len(site.batches.finished)))
    people = min(PEOPLE, len(batches) * site.rows // 2)
    return [
        *_overviews(ada),
        *_lists(ada, len(site.batches.finished)),
        Kind("find an authorizer", ada, [f"/batches/find q=loan-{rng.randrange(people):08}" for _ in range(300)]),
        Kind("find a batch", ada, [f"/batches/find q={batch}" for batch in batches]),
        Kind("find nothing", ada, [f"/batches/find q=loan-x{rng.randrange(people):08}" for _ in range(300)]),
        *_of_batches(ada, site, batches),
        Kind("authorizer", ada, [f"/authorizers/{batch}/{rng.randint(1, site.rows)}" for batch in batches]),
        *_drafts(otto),
        Kind("keys", ada, ["/keys"]),
        Kind("users", ada, ["/users"]),
        *_activity(ada),
        Kind("account", ada, ["/account"]),
        Kind("sign in", guest, ["/sign-in"]),
        Kind("sign in, code", half_in, ["/sign-in/code"]),
        Kind("set a password", guest, [site.invited]),
    ]


def _overviews(ada: Browser) -> list[Kind]:
    return [Kind(f"overview, {days} days", ada, [f"/?days={days}"]) for days in (7, 30, 90)]


def _lists(ada: Browser, batches: int) -> list[Kind]:
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - DAYS * 43_200))
    deep = max(1, min(150, batches // 100))
    filters = {
        "completed": "state=COMPLETED", "processing": "state=PROCESSING", "pending": "state=PENDING",
        "over the API": "creator=api", "by a user": "creator=user:Vera+Viewer", "until a day": f"until={day}",
        "from a day on": f"from={day}", "by a user, completed, until a day":
        f"creator=user:Vera+Viewer&state=COMPLETED&until={day}", "by nobody": "creator=user:Nobody",
    }  # fmt: skip
    return [
        Kind("batches", ada, ["/batches"]),
        Kind("batches, second page", ada, [ada.next_page("/batches", 1)]),
        Kind(f"batches, page {deep + 1}", ada, [ada.next_page("/batches", deep)]),
        *(Kind(f"batches, {name}", ada, [f"/batches?{query}"]) for name, query in filters.items()),
    ]


def _of_batches(ada: Browser, site: Site, batches: list[str]) -> list[Kind]:
    last = (site.rows - 1) // 50 * 50
    running = site.batches.unfinished
    return [
        Kind("batch", ada, [f"/batches/{batch}" for batch in batches]),
        Kind("batch, last page", ada, [f"/batches/{batch}?after={last}.{last}" for batch in batches]),
        Kind("batch, successes", ada, [f"/batches/{batch}?status=SUCCESS" for batch in batches]),
        Kind("batch, a rare status", ada, [f"/batches/{batch}?status=PROCESSING_ERROR" for batch in batches]),
        Kind("batch that runs", ada, [f"/batches/{batch}" for batch in running]),
    ]


def _drafts(otto: Browser) -> list[Kind]:
    some = [otto.upload("people.csv", _draft(faulty=False)) for _ in range(2)]
    all_ = [otto.upload("people.csv", _draft(faulty=True)) for _ in range(2)]
    return [
        Kind("new batch", otto, ["/batches/new"]),
        Kind("draft, one row in 100 with a fault", otto, some),
        Kind("draft, 5,000 faults", otto, all_),
        Kind("draft, 5,000 faults, page 50", otto, [f"{draft}?page=50" for draft in all_]),
        Kind("draft, its failed records as CSV", otto, [f"{draft}/failed.csv" for draft in all_]),
    ]


def _activity(ada: Browser) -> list[Kind]:
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - DAYS * 43_200))
    return [
        Kind("activity", ada, ["/activity"]),
        Kind("activity, page 21", ada, [ada.next_page("/activity", 20)]),
        Kind("activity, until a day", ada, [f"/activity?until={day}"]),
        Kind("activity, a frequent act", ada, ["/activity?what=batch.export"]),
        Kind("activity, an act of nobody", ada, ["/activity?what=requester.cards_on"]),
        Kind("activity, of nobody", ada, ["/activity?who=user:nobody"]),
    ]
