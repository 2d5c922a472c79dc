"""The view of a training run: its curves, its log, and where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from desktop.widgets.training_view import TrainingView, loss_curves
from engine.contracts.training import TrainingEvaluated
from tests.desktop.test_releases import STARTED, step

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


def test_that_resuming_draws_over_the_steps_after_the_checkpoint(qtbot: QtBot) -> None:
    view = TrainingView()
    qtbot.addWidget(view)
    view.show_events([STARTED, step(1, 3.0), step(2, 2.0), step(3, 9.0)])
    view.add(STARTED.model_copy(update={"resumed_from": 2}))
    view.add(step(3, 1.5))
    assert view.losses == ((1, 3.0), (2, 2.0), (3, 1.5))


def test_that_the_loss_curve_is_the_run_s_own_and_the_stage_says_whose_steps_follow(qtbot: QtBot) -> None:
    view = TrainingView()
    qtbot.addWidget(view)
    own = [step(number, 1.0 / number) for number in range(1, 21)]
    of_fold = [step(number, 2.0).model_copy(update={"fold": 0}) for number in range(21, 31)]
    view.show_events([STARTED, *own, *of_fold])
    assert [step for step, _ in view.losses] == list(range(1, 21))
    assert "Step 30 of 40" in view._stage.text()
    assert "encoder of fold 1" in view._stage.text()
    left, right = view.loss_plot.plot.getPlotItem().viewRange()[0]
    assert (round(left), round(right)) == (0, 20)


def test_that_the_running_mean_starts_as_the_plain_mean_of_the_first_steps() -> None:
    _each, mean = loss_curves([step(1, 4.0), step(2, 2.0)])
    assert mean.y[0] == pytest.approx(4.0)
    assert mean.y[1] == pytest.approx((0.9 * 4.0 + 2.0) / 1.9)


def test_that_validation_figures_are_worded_in_the_log(qtbot: QtBot) -> None:
    view = TrainingView()
    qtbot.addWidget(view)
    view.show_events([TrainingEvaluated(step=20, metrics={"C@95": 0.418, "aurc": 0.09})])
    assert "Validated at step 20: coverage 41.8 % at 95 %; aurc 0.09" in view.log.toPlainText().replace(
        "\u202f", " "
    )
