"""What a service says when it starts: where it listens, who answers, and on which grid."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lichen.testing.provider import ScriptedProvider
    from tests.end_to_end.conftest import Serve


def test_a_configured_upstream_is_told_without_its_credentials(
    serve: Serve, module_upstream: ScriptedProvider
) -> None:
    url = module_upstream.url.replace("//", "//user:secret@")

    service = serve(upstream=url, upstream_zone="SE-SE3")

    assert f"upstream:   {module_upstream.url} · grid zone SE-SE3\n" in service.said
    assert "secret" not in service.said


def test_an_upstream_that_a_key_in_the_environment_decided_is_told_with_the_reason(
    serve: Serve,
) -> None:
    service = serve(upstream="", environ={"OPENAI_API_KEY": "none"})

    assert (
        "upstream:   https://api.openai.com, since OPENAI_API_KEY is set · grid zone WORLD, not "
        "told: set LICHEN_UPSTREAM_ZONE\n"
    ) in service.said


def test_an_address_that_is_every_address_is_told_by_a_name_that_clients_can_use(
    serve: Serve, module_upstream: ScriptedProvider
) -> None:
    token = "a-token-of-sixteen-or-more"

    service = serve(upstream=module_upstream.url, host="0.0.0.0", token=token)

    assert f"OPENAI_BASE_URL=http://{socket.gethostname()}:" in service.said
    assert "clients show LICHEN_TOKEN's as their API key" in service.said
    assert token not in service.said
