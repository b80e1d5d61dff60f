"""Every policy keeps PolicyContract."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.quantities import Energy, Power
from lichen.plan import Elastic, Pause, Place, Replan, RunNow, Scaling, Shift, Site
from lichen.testing.policies import PolicyContract, a_job

if TYPE_CHECKING:
    from lichen.plan import Job, Policy

HERE = Site(name="here", zone="SE-SE3", pue=1.2, pue_low=1.1, pue_high=1.4)


class TestRunNow(PolicyContract):
    @pytest.fixture
    def policy(self) -> Policy:
        return RunNow()


class TestShift(PolicyContract):
    @pytest.fixture
    def policy(self) -> Policy:
        return Shift()


class TestShiftWithPauses(PolicyContract):
    @pytest.fixture
    def policy(self) -> Policy:
        return Shift()

    @pytest.fixture
    def job(self) -> Job:
        pause = Pause(
            restart=timedelta(minutes=6),
            energy=Energy.wh(50),
            min_run=timedelta(hours=2),
            idle=Power.watts(40),
        )
        return replace(a_job(), pause=pause)


class TestElastic(PolicyContract):
    @pytest.fixture
    def policy(self) -> Policy:
        return Elastic(Scaling((1, 2, 4), (1.0, 1.9, 3.2), (300.0, 610.0, 1250.0)))


class TestPlace(PolicyContract):
    @pytest.fixture
    def policy(self) -> Policy:
        return Place(sites=(HERE,), home=HERE, data_gb=40)


class TestReplan(PolicyContract):
    @pytest.fixture
    def policy(self) -> Policy:
        return Replan()
