"""How much memory a run needs, reckoned before it starts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sentence_transformers import SentenceTransformer
from torch import nn

from engine.errors import EnvironmentError_
from trainer.devices import ComputeDevice
from trainer.losses import TrainingObjective

_GIB = 1024**3
#: AdamW keeps two moments of every weight.
_MOMENTS = 2
#: Float matrices of the size [listings, items] that a softmax, its masks and their gradients hold at once.
_SIMILARITY_MATRICES = 12
#: Kernels and allocators take this much before a batch is large; measured on a CPU.
_BUFFERS = 192 * 1024**2
#: No share of the free memory is certain: allocators round up, others start programs.
_USABLE = 0.9


@dataclass(frozen=True)
class EncoderShape:
    """What the activations of a transformer are reckoned from.

    Attributes:
        layers: blocks of attention and feed-forward.
        width: of the hidden states.
        inner: width of the feed-forward part.
        heads: of the attention.
    """

    layers: int
    width: int
    inner: int
    heads: int

    @classmethod
    def of(cls, model: SentenceTransformer) -> EncoderShape | None:
        """The shape of a model; None for one that is no transformer that says its sizes."""
        config = getattr(getattr(model[0], "auto_model", None), "config", None)
        names = ("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads")
        sizes = [getattr(config, name, None) for name in names]
        if not all(isinstance(size, int) for size in sizes):
            return None
        return cls(*(int(size) for size in sizes if size is not None))

    def activation_bytes(self, tokens: int, bytes_each: int, *, fused: bool) -> int:
        """Bytes that one text of ``tokens`` tokens leaves for the backward pass.

        Per layer and token 8 hidden states and two dropout masks of attention, feed-forward and norms,
        twice the inner state, and for every head a row of attention, its mask, and the row with dropout.
        Source: Korthikanti et al., 2205.05198, section 4.1, there for 2 bytes and an inner width of 4
        times the hidden one; attention that is computed in blocks keeps less.

        Args:
            tokens: of the text.
            bytes_each: of a number.
            fused: as kernels on a GPU do it. On a CPU a mask is as large as what it masks, and scaled
                copies of queries and keys are kept.
        """
        mask = 1 if fused else bytes_each
        copies = 0 if fused else 2 * bytes_each
        hidden = self.width * (8 * bytes_each + 2 * mask + copies) + 2 * self.inner * bytes_each
        attention = self.heads * tokens * (2 * bytes_each + mask)
        return self.layers * tokens * (hidden + attention)


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes of a run at its widest moment.

    Attributes:
        weights: of encoder and heads, with their copy in half precision.
        gradients: one per weight.
        optimizer: its moments.
        activations: of the texts that are run in one pass.
        similarities: of all listings with all items of a batch.
        buffers: what libraries take to work in.
        loaded: of the weights, what is in memory already.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    similarities: int
    buffers: int = _BUFFERS
    loaded: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        trained = self.weights + self.gradients + self.optimizer
        return trained + self.activations + self.similarities + self.buffers

    def fits(self, free: int) -> bool:
        """Whether what is not loaded yet goes into ``free`` bytes, with room to spare."""
        return self.total - self.loaded <= _USABLE * free

    def in_words(self, free: int) -> str:
        """One line for a person."""
        parts = {
            "weights": self.weights,
            "gradients": self.gradients,
            "optimizer": self.optimizer,
            "activations": self.activations,
            "similarities": self.similarities,
            "buffers": self.buffers,
        }
        named = ", ".join(f"{name} {_gib(size)}" for name, size in parts.items())
        return f"about {_gib(self.total)} GiB are needed ({named}) and {_gib(free)} GiB are free"


@dataclass(frozen=True)
class BatchSize:
    """The widest batch of a run: listings, items (at most), and tokens of the longest text."""

    listings: int
    items: int
    tokens: int

    @property
    def texts(self) -> int:
        """Listings and items."""
        return self.listings + self.items


def memory_need(
    model: SentenceTransformer,
    objective: TrainingObjective,
    device: ComputeDevice,
    batch: BatchSize,
    rows: int,
) -> MemoryNeed | None:
    """What a run needs; None where the architecture does not say its sizes.

    Args:
        model: as loaded, on its device.
        objective: for its heads.
        device: for its precision.
        batch: the widest one.
        rows: texts whose activations are in memory at once.
    """
    shape = EncoderShape.of(model)
    if shape is None:
        return None
    encoder, heads = _bytes(model), _bytes(objective.parts)
    trained = encoder + heads
    half_copy = 0 if device.half is None else encoder // 2
    bytes_each, fused = 4 if device.half is None else 2, device.kind == "cuda"
    activation = shape.activation_bytes(batch.tokens, bytes_each, fused=fused)
    return MemoryNeed(
        weights=trained + half_copy,
        gradients=trained,
        optimizer=_MOMENTS * trained,
        activations=rows * activation,
        similarities=_SIMILARITY_MATRICES * batch.listings * batch.items * 4,
        loaded=trained,
    )


def fit_into_memory(
    model: SentenceTransformer, objective: TrainingObjective, device: ComputeDevice, batch: BatchSize
) -> list[str]:
    """Lower the objective's ``cache_rows`` until a run fits the memory that is free.

    Args:
        model: as loaded, on its device.
        objective: of the run; its ``cache_rows`` may be lowered.
        device: with its precision.
        batch: the widest one.

    Returns:
        What to tell the user, one line each.

    Raises:
        EnvironmentError_: it does not fit, one text at a time either.
    """
    share = -(-batch.texts // objective.ranks.size)
    rows = wanted = min(share, objective.cache_rows or share)
    free = device.free_bytes()
    need = first = memory_need(model, objective, device, batch, rows)
    if need is None or first is None:
        return ["What this run needs of memory is not known: its architecture does not say its sizes."]
    while rows > 1 and not need.fits(free):
        rows //= 2
        need = replace(need, activations=first.activations // wanted * rows)
    if not need.fits(free):
        raise EnvironmentError_(
            f"This run does not fit {device.name}: {need.in_words(free)}, with one text at a time; lower "
            "batch_size or max_tokens, or train on another device."
        )
    lines = [f"Memory: {need.in_words(free)} ({device.name})."]
    if rows < wanted:
        objective.cache_rows = rows
        lines.append(
            f"The {wanted} texts of a step do not fit into memory at once: they run {rows} at a time and "
            "gradients are cached (cache_rows), which gives the same steps and takes longer."
        )
    return lines


def _bytes(module: nn.Module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


def _gib(size: int) -> str:
    return f"{size / _GIB:.2f}"
