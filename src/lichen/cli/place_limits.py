"""Place limits: which of the zones that a user lists a job may go to, by what each offers.

A zone keeps a limit where it is known to, by `--site`; what nobody said of it counts as not kept.
Zones that are left out are told with why, before anything is planned. Home keeps the limits too:
without a forecast a job runs there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from lichen.ledger.quantities import Money
    from lichen.plan.where import Limits, Site

LIMITS = ("residency", "max_latency", "hardware", "max_price")
_LATENCY = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s)")
_PRICE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Z]{3})")
_FORM = "ZONE,latency=20ms,hardware=h100+a100,price=2.40EUR,area=EU+EEA"


def allowed(
    places: tuple[tuple[str, str], ...], home: str, said: Any
) -> tuple[tuple[str, str], ...]:
    """The places that keep the limits on a command line, all where it has none.

    Raises:
        UsageError: home or no place keeps them, or something said makes no sense.
        UnitError: prices are in two currencies.
    """
    given = [name for name in LIMITS if said[name]]
    if not given:
        if said["site"]:
            flags = ", ".join(_flag(name) for name in LIMITS)
            raise click.UsageError(f"--site says what a limit asks: give one of {flags}")
        return places
    if not places:
        raise click.UsageError(f"{_flag(given[0])} chooses among zones: list them with --zones")
    limits = _limits(said)
    sites = _sites(said["site"], dict.fromkeys((home, *(zone for zone, _ in places))))
    if why := limits.why_not(sites[home]):
        raise click.UsageError(
            f"home {home} does not keep the limits: {why}. Without a forecast the job would run "
            f"there: name another home with --zone, or say what it offers with --site {home},..."
        )
    reasons = {zone: why for zone, _ in places if (why := limits.why_not(sites[zone]))}
    if len(reasons) == len(dict(places)):
        told = "; ".join(f"{zone}: {why}" for zone, why in reasons.items())
        raise click.UsageError(
            f"no zone keeps the limits: {told}. Widen a limit, add a zone, or say what one offers "
            "with --site"
        )
    for zone, why in reasons.items():
        click.echo(f"lichen: {zone} is left out: {why}", err=True)
    return tuple((zone, place) for zone, place in places if zone not in reasons)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _limits(said: Any) -> Limits:
    from lichen.plan.where import Limits

    latency, price = said["max_latency"], said["max_price"]
    return Limits(
        residency=_names(said["residency"], ",", upper=True),
        latency=_latency(latency, "--max-latency") if latency else None,
        hardware=_names(said["hardware"], ","),
        price=_price(price, "--max-price") if price else None,
    )


def _sites(told: Sequence[str], zones: dict[str, None]) -> dict[str, Site]:
    """What is said of each zone, or nothing but its country."""
    facts: dict[str, dict[str, str]] = {zone: {} for zone in zones}
    for text in told:
        zone, *pairs = (part.strip() for part in text.split(","))
        if zone not in facts:
            raise click.UsageError(
                f"--site {zone}: it is neither home nor one of --zones: {', '.join(facts)}"
            )
        for pair in pairs:
            name, equals, value = pair.partition("=")
            if name not in ("latency", "hardware", "price", "area") or not equals or not value:
                raise click.UsageError(f"--site cannot be {text!r}: write {_FORM}")
            facts[zone][name] = value
    return {zone: _site(zone, said) for zone, said in facts.items()}


def _site(zone: str, said: dict[str, str]) -> Site:
    from lichen.grid.regions import grid_zone
    from lichen.plan.where import Site

    country = grid_zone(zone).partition("-")[0]
    flag = f"the latency of --site {zone}", f"the price of --site {zone}"
    return Site(
        name=zone,
        zone=zone,
        areas=_names(said.get("area"), "+", upper=True) | {country},
        latency=_latency(said["latency"], flag[0]) if "latency" in said else None,
        hardware=_names(said.get("hardware"), "+"),
        price=_price(said["price"], flag[1]) if "price" in said else None,
    )


def _names(text: str | None, mark: str, *, upper: bool = False) -> frozenset[str]:
    """Names apart by a mark, in one case: areas as ISO 3166 writes them, hardware in small."""
    parts = (part.strip() for part in (text or "").split(mark))
    return frozenset(part.upper() if upper else part.lower() for part in parts if part)


def _latency(text: str, what: str) -> timedelta:
    from datetime import timedelta

    found = _LATENCY.fullmatch(text.strip())
    if not found:
        raise click.UsageError(f"{what} cannot be {text!r}: write a number and ms or s, as in 20ms")
    return timedelta(seconds=float(found[1]) * (0.001 if found[2] == "ms" else 1.0))


def _price(text: str, what: str) -> Money:
    from lichen.ledger.quantities import Money

    found = _PRICE.fullmatch(text.strip())
    if not found:
        raise click.UsageError(
            f"{what} cannot be {text!r}: write a number and its currency for an hour, as in 2.40EUR"
        )
    return Money.of(float(found[1]), found[2])
