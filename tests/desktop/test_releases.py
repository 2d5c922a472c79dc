"""Releases: training in another process, challenger against champion, promoting, rolling back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt

from desktop.screens.releases import ReleasesScreen
from desktop.session import Session
from engine.contracts import (
    Comparison,
    FeedCoverage,
    Finished,
    Flip,
    ReleaseSummary,
    RunState,
    TrainingRun,
    WorkEvent,
)
from engine.contracts.training import TrainingProgress, TrainingStarted
from engine.errors import InputError
from tests.desktop.fake_session import Gate, fake_session
from tests.desktop.fake_workspace import FakeWorkspace

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

# Qt's offscreen platform says so of every window it is given.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")

STARTED = TrainingStarted(run_id="t0002", device="cpu", precision="fp32", pairs=9, items=9, total_steps=40)


def step(number: int, loss: float = 1.0) -> TrainingProgress:
    return TrainingProgress(
        step=number, total_steps=40, loss=loss, learning_rate=0.1, pairs_per_second=8, eta_seconds=3
    )


#: What stands in for the trainer: two steps, then the end a test chose.
HEAD = f"""
import os, pathlib, signal, sys
folder = pathlib.Path(sys.argv[1])
def say(line):
    with (folder / "events.jsonl").open("a") as file:
        print(line, file=file)
    print(line, flush=True)
say({STARTED.model_dump_json()!r})
say({step(1, 1.5).model_dump_json()!r})
say({step(2, 1.25).model_dump_json()!r})
"""
FINISHES = """say('{"event":"finished","step":2,"seconds":1.0}')"""
WAITS = """
while not (folder / "cancel").exists():
    pass
say('{"event":"cancelled","step":2}')
"""
CRASHES = "os.kill(os.getpid(), signal.SIGKILL)"


class Workspace(FakeWorkspace):
    """The fake with a small script for a trainer, a gate that may say no, and many flips."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.trainer = FINISHES
        self.gate: Gate | None = None
        self.passes = True
        self.forced: list[bool] = []
        self.too_few_pairs = False

    def preparing_training(self, **choices: object) -> Iterator[WorkEvent[TrainingRun]]:
        if self.too_few_pairs:
            raise InputError("Only 3 pairs so far; training needs 16. Review some more.")
        for event in super().preparing_training(**choices):  # type: ignore[arg-type]
            if isinstance(event, Finished):
                Path(event.result.folder).mkdir(parents=True)
            yield event

    def training_command(self, run_id: str) -> list[str]:
        return [sys.executable, "-c", HEAD + self.trainer, str(self.path / "runs" / run_id)]

    def evaluate(
        self, release_id: str | None = None, *, against: str | None = None
    ) -> Iterator[WorkEvent[Comparison]]:
        for event in super().evaluate(release_id, against=against):
            yield (
                Finished(self._judged(event.result), event.changes) if isinstance(event, Finished) else event
            )

    def _judged(self, made: Comparison) -> Comparison:
        gate = replace(made.gate, passed=self.passes)
        if not self.passes:
            gate = replace(gate, reasons=("Cameras fall by 14 points",))
        self._releases = [replace(one, gate=gate) if one.gate else one for one in self._releases]
        flips = tuple(
            Flip(number, f"L-{number}", "tv", "automated", "automated", "A", "B", False)
            for number in range(450)
        )
        feeds = (FeedCoverage(("june",), 40, 0.5, 0.6), FeedCoverage(("april", "may"), 90, 0.6, 0.5))
        return replace(made, gate=gate, flips=flips, flips_total=900, feeds=feeds)

    def promote(self, release_id: str, *, force: bool = False) -> Iterator[WorkEvent[ReleaseSummary]]:
        self.forced.append(force)
        events = super().promote(release_id, force=force)
        return self.gate.hold(events) if self.gate else events


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "Electronics")


@pytest.fixture
def session(qtbot: QtBot, workspace: Workspace, tmp_path: Path) -> Iterator[Session]:
    with fake_session(workspace, tmp_path) as made:
        yield made


@pytest.fixture
def screen(qtbot: QtBot, session: Session) -> Iterator[ReleasesScreen]:
    made = ReleasesScreen(session)
    qtbot.addWidget(made)
    made.resize(1200, 800)
    made.show()
    made.activate()
    qtbot.waitUntil(lambda: made.release_page.releases_view.model().rowCount() > 0)
    yield made
    made.close_down()


def run_ids(screen: ReleasesScreen) -> list[str]:
    model = screen.training_page.runs_view.model()
    return [model.index(line, 0).data() for line in range(model.rowCount())]


def champion(workspace: Workspace) -> str:
    return next(release.id for release in workspace.releases() if release.is_champion)


def state(workspace: Workspace, run_id: str) -> RunState | None:
    return next((run.state for run in workspace.runs() if run.id == run_id), None)


def train(qtbot: QtBot, screen: ReleasesScreen) -> None:
    screen.pages.setCurrentWidget(screen.training_page)
    qtbot.mouseClick(screen.training_page.start_button, Qt.MouseButton.LeftButton)


def build(qtbot: QtBot, screen: ReleasesScreen) -> None:
    screen.pages.setCurrentWidget(screen.training_page)
    screen.training_page.select("t0001")
    qtbot.mouseClick(screen.training_page.build_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(screen.release_page.isVisible)
    qtbot.waitUntil(lambda: screen.release_page.name == "r0003")
    qtbot.waitUntil(lambda: not screen.training_page.job_panel.busy)


def compare(qtbot: QtBot, screen: ReleasesScreen) -> None:
    page = screen.release_page
    qtbot.mouseClick(page.compare_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.comparison_view.isVisible)
    qtbot.waitUntil(lambda: not page.job_panel.busy and page.standing_word != "Challenger")


# -- training --------------------------------------------------------------------------------------


def test_that_training_runs_with_the_chosen_recipe_and_draws_its_loss_live(
    qtbot: QtBot, screen: ReleasesScreen, workspace: Workspace
) -> None:
    workspace.trainer = WAITS
    page = screen.training_page
    page.recipe_choice.setCurrentText("infonce")
    page.device_choice.setCurrentIndex(page.device_choice.findData("cpu"))
    train(qtbot, screen)
    qtbot.waitUntil(lambda: page.view.losses == ((1, 1.5), (2, 1.25)), timeout=20_000)
    run = workspace.runs()[0]
    assert (run.recipe, run.device) == ("infonce", "cpu")
    qtbot.waitUntil(lambda: state(workspace, "t0002") is RunState.RUNNING)
    assert page.cancel_button.isVisible()
    assert not page.start_button.isEnabled()


def test_that_a_finished_run_is_noted_and_offers_a_challenger(
    qtbot: QtBot, screen: ReleasesScreen, workspace: Workspace
) -> None:
    train(qtbot, screen)
    qtbot.waitUntil(lambda: state(workspace, "t0002") is RunState.FINISHED, timeout=20_000)
    qtbot.waitUntil(screen.training_page.build_button.isVisible)
    assert "t0002: Finished after 2 steps." in screen.training_page.banner.text
    assert run_ids(screen) == ["t0002", "t0001"]


def test_that_cancelling_asks_the_trainer_and_the_run_can_be_resumed(
    qtbot: QtBot, screen: ReleasesScreen, workspace: Workspace
) -> None:
    workspace.trainer = WAITS
    page = screen.training_page
    train(qtbot, screen)
    qtbot.waitUntil(lambda: len(page.view.losses) == 2, timeout=20_000)
    qtbot.mouseClick(page.cancel_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: state(workspace, "t0002") is RunState.CANCELLED, timeout=20_000)
    qtbot.waitUntil(page.resume_button.isVisible)
    workspace.trainer = FINISHES
    qtbot.mouseClick(page.resume_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: state(workspace, "t0002") is RunState.FINISHED, timeout=20_000)
    assert "Cancelled at step 2" in page.view.log.toPlainText()


def test_that_a_crash_of_the_trainer_is_reported_and_the_window_goes_on(
    qtbot: QtBot, screen: ReleasesScreen, workspace: Workspace
) -> None:
    workspace.trainer = CRASHES
    train(qtbot, screen)
    qtbot.waitUntil(lambda: state(workspace, "t0002") is RunState.FAILED, timeout=20_000)
    page = screen.training_page
    assert "crashed" in page.banner.text
    qtbot.waitUntil(page.resume_button.isVisible)
    assert page.start_button.isEnabled()


def test_that_training_that_cannot_be_prepared_starts_no_trainer(
    qtbot: QtBot, workspace: Workspace, tmp_path: Path
) -> None:
    workspace.too_few_pairs = True
    errors: list[Exception] = []
    with fake_session(workspace, tmp_path) as session:
        session.tasks.failure.disconnect()
        session.tasks.failure.connect(errors.append)
        screen = ReleasesScreen(session)
        qtbot.addWidget(screen)
        screen.activate()
        qtbot.waitUntil(screen.training_page.start_button.isEnabled)
        screen.training_page.start()
        qtbot.waitUntil(lambda: len(errors) == 1)
        assert not screen.training_page.process.running
        qtbot.waitUntil(screen.training_page.start_button.isEnabled)


def test_that_closing_the_window_lets_the_trainer_come_to_a_stop(
    qtbot: QtBot, screen: ReleasesScreen, workspace: Workspace
) -> None:
    workspace.trainer = WAITS
    train(qtbot, screen)
    qtbot.waitUntil(lambda: len(screen.training_page.view.losses) == 2, timeout=20_000)
    screen.close_down()
    assert not screen.training_page.process.running
    qtbot.waitUntil(lambda: state(workspace, "t0002") is RunState.CANCELLED)


def test_that_an_earlier_run_shows_the_curve_it_left(
    qtbot: QtBot, session: Session, workspace: Workspace
) -> None:
    folder = Path(workspace.runs()[0].folder)
    folder.mkdir(parents=True)
    lines = [event.model_dump_json() for event in (STARTED, step(1, 3.0), step(2, 2.0))]
    (folder / "events.jsonl").write_text("\n".join(lines), encoding="utf-8")
    screen = ReleasesScreen(session)
    qtbot.addWidget(screen)
    screen.activate()
    qtbot.waitUntil(lambda: screen.training_page.view.losses == ((1, 3.0), (2, 2.0)))


# -- releases --------------------------------------------------------------------------------------


def test_that_the_champion_is_in_front_and_cannot_be_promoted(screen: ReleasesScreen) -> None:
    page = screen.release_page
    assert page.name == "r0002"
    assert page.standing_word == "Champion"
    assert not page.promote_button.isVisible()
    assert not page.compare_button.isVisible()


def test_that_a_challenger_built_of_a_run_comes_to_the_front_uncompared(
    qtbot: QtBot, screen: ReleasesScreen, workspace: Workspace
) -> None:
    build(qtbot, screen)
    assert screen.release_page.standing_word == "Challenger"
    assert not screen.release_page.promote_button.isEnabled()
    assert champion(workspace) == "r0002"


def test_that_a_comparison_shows_figures_reasons_and_pages_of_flips(
    qtbot: QtBot, screen: ReleasesScreen
) -> None:
    build(qtbot, screen)
    compare(qtbot, screen)
    view = screen.release_page.comparison_view
    figures = [line.replace("\u202f", " ") for line in view.figures()]
    assert "Certified coverage | 58.0 % | 64.0 % | +6.0 points" in figures
    assert "Newest feed, june (40 labels) | 50.0 % | 60.0 % | +10.0 points" in figures
    assert "Earlier feeds (90 labels) | 60.0 % | 50.0 % | −10.0 points" in figures
    assert view.gate_badge.text() == "May be promoted"
    flips = view.flips_view.model()
    assert 0 < flips.rowCount() < 450
    while flips.canFetchMore(flips.index(-1, -1)):
        flips.fetchMore(flips.index(-1, -1))
    assert flips.rowCount() == 450
    assert "900 automated answers would change" in view.flips_text
    assert "The first 450 are listed" in view.flips_text


def test_that_promoting_makes_the_challenger_the_champion_and_rolling_back_returns(
    qtbot: QtBot, screen: ReleasesScreen, workspace: Workspace
) -> None:
    build(qtbot, screen)
    compare(qtbot, screen)
    page = screen.release_page
    qtbot.mouseClick(page.promote_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "r0003 is the champion now" in page.banner.text)
    assert champion(workspace) == "r0003"
    assert workspace.forced == [False]
    qtbot.waitUntil(lambda: page.standing_word == "Champion" and page.roll_back_button.isEnabled())
    qtbot.mouseClick(page.roll_back_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Rolled back" in page.banner.text)
    assert champion(workspace) == "r0002"


def test_that_a_release_the_gate_holds_back_is_promoted_only_when_that_is_ticked(
    qtbot: QtBot, screen: ReleasesScreen, workspace: Workspace
) -> None:
    workspace.passes = False
    build(qtbot, screen)
    compare(qtbot, screen)
    page = screen.release_page
    assert page.comparison_view.gate_badge.text() == "Held back"
    assert not page.promote_button.isEnabled()
    page.force_box.click()
    assert page.promote_button.isEnabled()
    qtbot.mouseClick(page.promote_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: champion(workspace) == "r0003")
    assert workspace.forced == [True]


def test_that_the_average_that_may_be_promoted_in_place_of_a_release_comes_to_the_front(
    qtbot: QtBot, screen: ReleasesScreen, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(qtbot, screen)

    def challenge(release_id: str) -> Iterator[WorkEvent[Comparison]]:
        average = replace(workspace._releases[0], id="r0004", origin="averaged", trained_share=0.5)
        workspace._releases = [average, *workspace._releases]
        return workspace.evaluate(average.id)

    monkeypatch.setattr(workspace, "challenge", challenge)
    (page := screen.release_page).compare()
    qtbot.waitUntil(lambda: page.name == "r0004" and page.comparison_view.isVisible())
    assert "The gate holds r0003 back. r0004" in page.banner.text
    assert page.promote_button.isEnabled()


def test_that_a_cancelled_promotion_leaves_the_champion(
    qtbot: QtBot, screen: ReleasesScreen, workspace: Workspace
) -> None:
    build(qtbot, screen)
    compare(qtbot, screen)
    page = screen.release_page
    workspace.gate = Gate()
    qtbot.mouseClick(page.promote_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "held up" in page.job_panel.stage_words)
    qtbot.mouseClick(page.job_panel.cancel_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.job_panel.busy)
    assert workspace.gate.closed.is_set()
    assert champion(workspace) == "r0002"
    qtbot.waitUntil(page.promote_button.isEnabled)


def test_that_a_comparison_is_forgotten_when_another_release_becomes_champion(
    qtbot: QtBot, screen: ReleasesScreen, workspace: Workspace
) -> None:
    build(qtbot, screen)
    compare(qtbot, screen)
    page = screen.release_page
    for _ in workspace.promote("r0001"):
        pass
    screen.activate()
    qtbot.waitUntil(lambda: not page.comparison_view.isVisible())
