"""Needles: 500 contexts in each of which one sentence, line or row holds the answer to a question.

The questions are paraphrases: written apart from the needles, most with other words, a third of
those in prose and logs without one content word in common. Haystacks are real texts (../shared) and
generated logs and rows. Everything is drawn from one seed.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "text"

# Needle and question; braces are filled alike in both, from the lists below.
PROSE = (
    ("The maintenance window of the {name} cluster was moved to Thursday at {time}.",
     "When will {name} be taken down for upkeep?"),
    ("Our cafeteria stops serving hot meals at {time}.",
     "Until when can employees get lunch?"),
    ("Invoices above {number} euros need the signature of a second director.",
     "From what amount on must two executives approve a bill?"),
    ("{person} keeps the spare key of the archive in the blue cabinet.",
     "Who can let me into the records room?"),
    ("The train to {city} leaves from platform {small} this week.",
     "Where do I board for {city}?"),
    ("Patients under {small} kilograms receive half of the dose.",
     "How much medicine does a very light child get?"),
    ("The backup of the {name} database runs every night at {time} and takes an hour.",
     "At what hour is {name} copied for safety?"),
    ("{person} was born in {city} as the youngest of five children.",
     "What is the birthplace of {person}?"),
    ("Returns are accepted within {small} days if the seal is unbroken.",
     "How long may a buyer take to send goods back?"),
    ("The warranty of the {name} pump ends after {small} months.",
     "For what period is the {name} pump guaranteed?"),
    ("Because of the storm the ferry to {city} was cancelled until {time}.",
     "Why did no boat go to {city}?"),
    ("{person} resigned as treasurer after the audit found {number} missing coupons.",
     "What made {person} give up the office?"),
    ("The password policy asks for at least {small} characters.",
     "What is the minimum length of a login secret?"),
    ("Project {name} was handed over to the team in {city} last spring.",
     "Which office took charge of {name}?"),
    ("The annual fee rose from 40 to {small} pounds.",
     "What do members pay per year now?"),
    ("In the recipe the dough must rest {small} minutes before it is baked.",
     "How long should one wait prior to putting it in the oven?"),
    ("{person} sold the vineyard near {city} to a cooperative.",
     "Who now owns the wine estate that belonged to {person}?"),
    ("The lift in the north wing carries no more than {number} kilograms.",
     "What weight can the elevator bear?"),
    ("The library of {city} lends each reader up to {small} books at once.",
     "How many volumes may one borrow in {city}?"),
    ("Support tickets of class {name} are answered within {small} hours.",
     "How fast does somebody reply to a {name} ticket?"),
    ("After the merger the head office moved from Basel to {city}.",
     "In which town is the company's headquarters today?"),
    ("The expedition reached the summit on the {small}th day without oxygen.",
     "How long did the climbers need to get to the top?"),
    ("{person} prefers tea and never drinks coffee after noon.",
     "What beverage should I offer {person}?"),
    ("The museum is closed on Mondays and on the {small}th of each month.",
     "On which weekday can one not visit the exhibition?"),
    ("The contract with {name} may be ended with a notice of {small} weeks.",
     "How far ahead must we tell {name} that we quit?"),
    ("Cabin {number} is the only one with wheelchair access.",
     "Which room suits a guest who cannot walk?"),
    ("The {name} sensor reports a fault when the oil is hotter than {small} degrees.",
     "Above which temperature does {name} raise an alarm?"),
    ("Volunteers meet {person} at the fountain at {time}.",
     "Where do the helpers gather?"),
)  # fmt: skip
LOGS = (
    ("ERROR", "{service}", "connection to database {name} refused after {small} attempts",
     "Which service could not reach the {name} store?"),
    ("WARN", "{service}", "disk usage on volume {name} at {small} percent",
     "How full is the {name} drive?"),
    ("ERROR", "payment", "card charge {id} declined: insufficient funds",
     "Why did the transaction {id} not go through?"),
    ("INFO", "deploy", "release {version} rolled out to {city} by {person}",
     "Who shipped version {version}?"),
    ("ERROR", "{service}", "out of memory: worker {id} killed at {number} MB",
     "How large had the process grown when it was terminated?"),
    ("WARN", "auth", "account {person} locked after {small} failed logins",
     "Whose sign-in was blocked?"),
    ("INFO", "scheduler", "job {name} finished in {number} seconds",
     "How long did {name} run?"),
    ("ERROR", "tls", "certificate of {name}.example.com expired {small} days ago",
     "Which site has an outdated certificate?"),
    ("WARN", "queue", "backlog of {name} grew to {number} messages",
     "How many items wait in {name}?"),
    ("INFO", "{service}", "configuration reloaded by {person} from {city}",
     "Who changed the settings?"),
    ("ERROR", "backup", "snapshot {id} is corrupt: checksum mismatch",
     "Which copy cannot be restored, and why?"),
    ("INFO", "network", "failover to {city} completed in {number} ms",
     "Where did traffic go when the primary site was lost?"),
    ("DEBUG", "{service}", "feature flag {name} enabled for tenant {id}",
     "Who got {name} switched on?"),
    ("INFO", "billing", "refund of {number} EUR issued for order {id}",
     "How much money was given back for {id}?"),
    ("WARN", "thermal", "rack {small} inlet at {small2} C, fans at full speed",
     "Where in the data centre is it too hot?"),
    ("ERROR", "mail", "message to {person} bounced: mailbox full",
     "Why was the letter to {person} not delivered?"),
)  # fmt: skip
NAMES = ("Aurora", "Basalt", "Cobalt", "Dorado", "Ember", "Fjord", "Granite", "Helios", "Iris",
         "Juniper", "Krypton", "Lumen", "Meridian", "Nimbus", "Onyx", "Pelican", "Quartz", "Raven",
         "Saffron", "Tundra", "Umber", "Vesper", "Willow", "Zephyr")  # fmt: skip
PEOPLE = ("Ada Brandt", "Boris Kell", "Carmen Ruiz", "Dmitri Volk", "Elif Aydin", "Femi Okafor",
          "Greta Holm", "Hiro Tanaka", "Ines Duarte", "Jonas Wirth", "Kavya Rao", "Liam Byrne",
          "Mara Novak", "Nils Dahl", "Olga Petrova", "Pablo Soto")  # fmt: skip
CITIES = ("Bergen", "Cadiz", "Dresden", "Esbjerg", "Ferrara", "Ghent", "Halifax", "Innsbruck",
          "Jaipur", "Krakow", "Lugano", "Malmö", "Nantes", "Odessa", "Porto", "Quito")  # fmt: skip
SERVICES = ("api", "search", "ingest", "checkout", "profile", "catalog", "render", "gateway")
_TOPICS = ("request completed", "cache refreshed", "health check passed", "session renewed",
           "token issued", "retrying upstream call", "page rendered", "index updated",
           "user logged in", "batch committed", "thumbnail generated",
           "heartbeat received")  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A context, a question, and what must be kept for it to be answered."""

    kind: str
    context: str
    question: str
    needle: str


def cases(count: int = 500, seed: int = 20261125) -> list[Case]:
    """The cases, a third of each kind."""
    draw = random.Random(seed)
    stories = _stories()
    made: list[Case] = []
    for number in range(count):
        kind = number % 3
        if kind == 0:
            made.append(_prose(draw, stories, number // 3))
        elif kind == 1:
            made.append(_log(draw, number // 3))
        else:
            made.append(_rows(draw, number // 3))
    return made


def _fill(draw: random.Random) -> dict[str, str]:
    return {
        "name": draw.choice(NAMES),
        "person": draw.choice(PEOPLE),
        "city": draw.choice(CITIES),
        "service": draw.choice(SERVICES),
        "time": f"{draw.randrange(6, 23)}:{draw.randrange(10, 60)}",
        "number": str(draw.randrange(300, 9000)),
        "small": str(draw.randrange(11, 90)),
        "small2": str(draw.randrange(31, 60)),
        "id": f"{draw.choice('abcdef')}{draw.randrange(10**5, 10**6)}",
        "version": f"{draw.randrange(2, 9)}.{draw.randrange(20)}.{draw.randrange(20)}",
    }


def _stories() -> list[str]:
    """Real texts: news and film reviews, plays, problems of arithmetic."""
    import pyarrow.parquet as pq  # noqa: PLC0415 (only where the real data is)

    table = pq.read_table(SHARED / "neardup50k.parquet", columns=["text", "kind"])
    texts = [
        text
        for text, kind in zip(table["text"].to_pylist(), table["kind"].to_pylist(), strict=True)
        if kind == "base" and 1500 < len(text) < 6000
    ]
    plays = (SHARED / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
    problems = [
        json.loads(line)["question"]
        for line in (SHARED / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    return [
        *texts[:400],
        *(plays[at : at + 4000] for at in range(0, 400_000, 4000)),
        *("\n\n".join(problems[at : at + 12]) for at in range(0, 1200, 12)),
    ]


def _prose(draw: random.Random, stories: list[str], number: int) -> Case:
    template, question = PROSE[number % len(PROSE)]
    filled = _fill(draw)
    needle = template.format(**filled)
    paragraphs = [p for p in draw.choice(stories).split("\n\n") if p.strip()]
    if len(paragraphs) < 3:
        words = " ".join(paragraphs).split(" ")
        third = len(words) // 3
        paragraphs = [
            " ".join(words[at : at + third + 1]) for at in range(0, len(words), third + 1)
        ]
    at = draw.randrange(len(paragraphs))
    paragraphs[at] = f"{paragraphs[at].rstrip()} {needle}"
    return Case("prose", "\n\n".join(paragraphs), question.format(**filled), needle)


def _log(draw: random.Random, number: int) -> Case:
    level, service, message, question = LOGS[number % len(LOGS)]
    filled = _fill(draw)
    now = datetime(2026, 11, draw.randrange(1, 25), 8, tzinfo=UTC)
    count = draw.randrange(60, 220)
    at = draw.randrange(count)
    lines: list[str] = []
    for line in range(count):
        now += timedelta(milliseconds=draw.randrange(20, 4000))
        stamp = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if line == at:
            told = f"{level} {service} {message}".format(**filled)
        else:
            noise = draw.choices(("INFO", "DEBUG", "WARN", "ERROR"), (70, 15, 10, 5))[0]
            told = (
                f"{noise} {draw.choice(SERVICES)} {draw.choice(_TOPICS)} "
                f"id={draw.getrandbits(32):08x} took={draw.randrange(900)}ms"
            )
        lines.append(f"{stamp} {told}")
    return Case("logs", "\n".join(lines), question.format(**filled), lines[at].split(" ", 1)[1])


_ASKED: tuple[tuple[str, str], ...] = (
    ("What did {customer} pay for order {order_id}?", "order_id"),
    ("Where does the parcel {tracking} go?", "tracking"),
    ("Is the purchase with the note about the {note} delivered yet?", "note"),
    ("Which client bought on {day} and asked for a {note}?", "note"),
    ("What is the reference of the order that {email} placed?", "email"),
)
_NOTES = ("broken hinge", "gift wrapping", "left-handed model", "second invoice", "late courier",
          "spare battery", "wrong colour", "engraved plate", "missing manual", "quiet delivery",
          "ground floor", "oversized crate", "vegan leather", "child seat",
          "paper receipt")  # fmt: skip


def _rows(draw: random.Random, number: int) -> Case:
    count = draw.randrange(60, 240)
    rows: list[dict[str, Any]] = []
    notes = draw.sample(_NOTES, len(_NOTES))
    at = draw.randrange(count)
    for row in range(count):
        person = draw.choice(PEOPLE)
        rows.append(
            {
                "order_id": f"ORD-{draw.randrange(10**5, 10**6)}",
                "customer": person,
                "email": f"{person.split()[0].lower()}{draw.randrange(1000)}@example.com",
                "city": draw.choice(CITIES),
                "amount": round(draw.random() * 900, 2),
                "status": draw.choice(["shipped", "delivered", "pending"]),
                "day": f"2026-11-{draw.randrange(1, 25):02d}",
                "tracking": f"{draw.choice('XYZ')}{draw.getrandbits(40):010X}",
                "note": notes[0] if row == at else draw.choice(["", "", "none", *notes[1:6]]),
            }
        )
    question, _ = _ASKED[number % len(_ASKED)]
    return Case("json", json.dumps(rows), question.format(**rows[at]), rows[at]["tracking"])
