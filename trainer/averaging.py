"""Weight averaging with the start (WiSE-FT): a little of the old encoder against forgetting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn


def average_with_start(
    model: nn.Module,
    start: Mapping[str, Tensor],
    shares: Sequence[float],
    validate: Callable[[], dict[str, float]],
    *,
    trained_too: bool = True,
) -> tuple[float, dict[str, float]]:
    """Leave ``model`` at ``share * trained + (1 - share) * start`` for the share that validates best.

    Best is the smallest area under the risk-coverage curve: unlike coverage at one precision it does
    not hang on single listings. The largest share wins a tie. Source: Wortsman et al., 2109.01903.

    Args:
        model: the trained encoder; changed in place.
        start: the ``state_dict`` it was trained from, on any device.
        shares: of the trained weights, above 0 and up to 1.
        validate: metrics of ``model`` as it stands, ``aurc`` among them.
        trained_too: the trained weights alone (share 1) are among the choices; False leaves them out,
            for a challenger beside the one that has them.

    Returns:
        The chosen share and the metrics at it.

    Raises:
        ValueError: there is nothing to choose from.
    """
    trained = {name: value.detach().clone() for name, value in model.state_dict().items()}
    choices = {share for share in shares if share < 1.0} | ({1.0} if trained_too else set())
    if not choices:
        raise ValueError("There is no share below 1 to choose from.")
    measured: list[tuple[float, dict[str, float]]] = []
    for share in sorted(choices, reverse=True):
        _blend(model, trained, start, share)
        measured.append((share, validate()))
    best_share, best_metrics = min(measured, key=lambda choice: choice[1]["aurc"])
    _blend(model, trained, start, best_share)
    return best_share, best_metrics


def _blend(
    model: nn.Module, trained: Mapping[str, Tensor], start: Mapping[str, Tensor], share: float
) -> None:
    """Write the average into the model; counters and other integers stay as trained."""
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if share == 1.0 or not value.is_floating_point():
                value.copy_(trained[name])
            else:
                value.copy_(torch.lerp(start[name].to(value.device), trained[name], share))
