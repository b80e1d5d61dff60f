"""Real processes: `lichen serve`, an upstream that answers by a script, the system's browser."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from openai import AsyncOpenAI, OpenAI

from lichen.testing.provider import ScriptedProvider, by_kind
from lichen.testing.service import RunningService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from playwright.async_api import Browser

    Serve = Callable[..., RunningService]
    Connect = Callable[..., OpenAI]
    AssertRecovered = Callable[[dict[str, Any]], None]

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, started afresh for a module of tests; each test opens pages of its own.

    A module that uses it runs its tests in one event loop:
    `pytestmark = pytest.mark.asyncio(loop_scope="module")`.
    """
    from playwright.async_api import async_playwright

    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield started
        await started.close()


@pytest.fixture(scope="module")
def module_upstream() -> Iterator[ScriptedProvider]:
    """An upstream for a module of tests."""
    with ScriptedProvider() as running:
        yield running


@pytest.fixture(scope="module")
def module_service(
    tmp_path_factory: pytest.TempPathFactory,
    module_upstream: ScriptedProvider,
    request: pytest.FixtureRequest,
) -> Iterator[RunningService]:
    """A service for a module of tests, before that upstream; SERVICE in the module sets it."""
    folder = tmp_path_factory.mktemp("service")
    settings = {"upstream": module_upstream.url, **getattr(request.module, "SERVICE", {})}
    with RunningService(folder, **settings) as running:
        yield running


@pytest.fixture
def upstream(module_upstream: ScriptedProvider) -> ScriptedProvider:
    """The upstream as it usually answers, with no calls counted."""
    module_upstream.script = by_kind
    module_upstream.calls.clear()
    return module_upstream


@pytest.fixture
def service(module_service: RunningService, upstream: ScriptedProvider) -> RunningService:
    """The module's service, before the upstream."""
    assert upstream.url
    return module_service


@pytest.fixture
def serve(tmp_path: Path, upstream: ScriptedProvider) -> Iterator[Serve]:
    """Starts a service of the test's own; settings by their names."""
    with ExitStack() as started:

        def start(**settings: object) -> RunningService:
            given = {"upstream": upstream.url, **settings}
            made = RunningService(tmp_path, **given)  # type: ignore[arg-type]
            return started.enter_context(made)

        yield start


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Official clients, each for one service as it now runs."""
    made: list[OpenAI] = []

    def connect(service: RunningService, **how: Any) -> OpenAI:
        given = {"api_key": "sk-test", "max_retries": 0, **how}
        made.append(OpenAI(base_url=service.base_url, **given))
        return made[-1]

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def client(service: RunningService) -> Iterator[OpenAI]:
    """The official client, which tries nothing twice by itself."""
    with OpenAI(base_url=service.base_url, api_key="sk-test", max_retries=0) as made:
        yield made


@pytest.fixture
def assert_recovered(client: OpenAI, upstream: ScriptedProvider) -> AssertRecovered:
    """Asserts that a chat call that failed left nothing behind: it is asked and answered anew."""

    def recovered(asked: dict[str, Any]) -> None:
        upstream.script = by_kind
        upstream.calls.clear()
        raw = client.chat.completions.with_raw_response.create(**{**asked, "stream": False})
        streamed = list(client.chat.completions.create(**{**asked, "stream": True}))

        assert raw.headers["x-lichen-cache"] == "miss"
        assert streamed[-1].choices[0].finish_reason == "stop"
        assert len(upstream.calls) == 2

    return recovered


@pytest_asyncio.fixture
async def async_client(service: RunningService) -> AsyncIterator[AsyncOpenAI]:
    """The official client for asyncio."""
    async with AsyncOpenAI(base_url=service.base_url, api_key="sk-test", max_retries=0) as made:
        yield made
