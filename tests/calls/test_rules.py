"""Rules: the first that matches a call holds."""

from __future__ import annotations

import pytest

from lichen.calls.rules import RouteRule, Rules

CHEAP = RouteRule("chat.completions", "gpt-4o-mini*", sampled="reuse")
EMBED = RouteRule("embeddings", ttl=60.0)
GENERAL = RouteRule(scope="shared")


@pytest.mark.parametrize(
    ("kind", "model", "found"),
    [
        ("chat.completions", "gpt-4o-mini", CHEAP),
        ("chat.completions", "gpt-4o-mini-2024-07-18", CHEAP),
        ("chat.completions", "gpt-4o", GENERAL),
        ("chat.completions", "GPT-4o-mini", GENERAL),
        ("chat.completions", "", GENERAL),
        ("embeddings", "any", EMBED),
        ("responses", "gpt-4o-mini", GENERAL),
    ],
)
def test_the_first_rule_that_matches_route_and_model_holds(
    kind: str, model: str, found: RouteRule
) -> None:
    rules = Rules((CHEAP, EMBED, GENERAL))

    assert rules.find(kind, model) is found
    assert rules.find(kind, model) is found


def test_a_rule_further_down_does_not_hold() -> None:
    rules = Rules((GENERAL, CHEAP))

    assert rules.find("chat.completions", "gpt-4o-mini") is GENERAL


def test_without_rules_sampled_answers_are_not_reused_and_no_tenant_shares() -> None:
    rule = Rules(()).find("chat.completions", "m")

    assert (rule.sampled, rule.scope, rule.ttl) == ("bypass", "tenant", 86400.0)


def test_a_model_named_like_a_pattern_matches_only_as_text() -> None:
    rules = Rules((RouteRule(model="exactly"), GENERAL))

    assert rules.find("responses", "*") is GENERAL
