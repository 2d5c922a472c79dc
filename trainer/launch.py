"""Which of several processes of a run this one is, as torchrun says it; nothing here loads torch."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass

from engine.errors import InputError

_NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK")


@dataclass(frozen=True)
class Place:
    """The place of a process in its run.

    Attributes:
        rank: 0 for the process that writes checkpoints, events and the encoder.
        size: processes of the run.
        local_rank: number of the process on its machine, and of the GPU it takes.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0


#: A run of one process.
ALONE = Place()


def claim_place(environment: MutableMapping[str, str]) -> Place:
    """Read what torchrun left in the environment, take it out, and leave one GPU visible.

    Libraries under the trainer look for the same variables and would share out batches, and reduce
    gradients, in their own way; with one visible GPU they do not split a batch over all of them either.

    Args:
        environment: ``os.environ``, before torch is imported.

    Raises:
        InputError: the variables are no place in a run.
    """
    found = [environment.pop(name, None) for name in _NAMES]
    environment.pop("LOCAL_WORLD_SIZE", None)
    if found[0] is None or found[1] is None:
        place = ALONE
    else:
        try:
            place = Place(int(found[0]), int(found[1]), int(found[2] or found[0]))
        except ValueError as error:
            raise InputError(
                f"RANK and WORLD_SIZE are not numbers ({error}); start with torchrun."
            ) from error
        if not 0 <= place.rank < place.size:
            raise InputError(f"RANK {place.rank} is outside of WORLD_SIZE {place.size}; start with torchrun.")
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        environment["CUDA_VISIBLE_DEVICES"] = str(place.local_rank)
    elif visible:
        devices = visible.split(",")
        # More processes than GPUs: this one sees none, and the run says so before it starts.
        own = devices[place.local_rank] if place.local_rank < len(devices) else ""
        environment["CUDA_VISIBLE_DEVICES"] = own
    return place
