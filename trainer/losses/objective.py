"""The losses of a recipe put together as one sentence-transformers loss, over as much memory as there is."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainer.failures import is_out_of_memory
from trainer.losses.batch import PairBatch, cell_matrix, make_batch
from trainer.ranks import Ranks


class PairWeights(nn.Module):
    """What weighs the pairs of a batch before the losses see them."""

    def weighed(self, batch: PairBatch) -> PairBatch:
        """The batch with other weights."""
        raise NotImplementedError


class TrainingObjective(nn.Module):
    """A weighted sum of losses over the embeddings of one batch.

    It has the shape of a sentence-transformers loss: ``forward(sentence_features, labels)``. The first
    column of features holds the listings, all further columns are items, but for a last one of catalogue
    texts where the labels bring the champion's vectors of them. Without labels, item i of the
    second column is the target of listing i, as in ``MultipleNegativesRankingLoss``.

    Where the activations of all texts do not fit in memory at once, gradients are cached (GradCache, Gao
    et al., 2101.06983): the texts are embedded chunk by chunk without a graph, the loss is computed on
    the embeddings alone, and when its gradient arrives there every chunk is embedded once more, from the
    same random numbers, and takes its part of the gradient on. The gradients are those of one pass, for
    a third more work.

    Args:
        model: the SentenceTransformer.
        parts: losses over a :class:`~trainer.losses.batch.PairBatch` by name.
        weights: by the same names.
        chunk_rows: texts are sorted by length and run in chunks of so many, each padded to its own
            longest (half of the tokens otherwise, for titles); None: one pass.
        cache_rows: activations of so many texts fit in memory; a batch of more caches its gradients.
            May be changed between steps. None: any number fits.
        ranks: the processes that share each batch's texts. Each computes the loss of the whole batch from
            everybody's embeddings and takes the gradient of its own ones back, so that gradients summed
            over the ranks are those of one process. The heads' gradients are whole on every rank.
    """

    def __init__(
        self,
        model: nn.Module,
        parts: Mapping[str, nn.Module],
        weights: Mapping[str, float],
        *,
        chunk_rows: int | None = None,
        cache_rows: int | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.parts = nn.ModuleDict(dict(parts))
        self.weights = dict(weights)
        self.chunk_rows = chunk_rows
        self.cache_rows = cache_rows
        self.ranks = ranks or Ranks()
        #: Told of every batch in training: row numbers [B] (``row`` of the labels) and the batch.
        self.watch: Callable[[Tensor, PairBatch], None] | None = None
        #: Weighs the pairs of every batch in training.
        self.agreement: PairWeights | None = None

    def forward(
        self,
        sentence_features: Iterable[dict[str, Tensor]],
        labels: Mapping[str, Tensor] | Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The weighted parts by name; the trainer sums them and reports each.

        Args:
            sentence_features: ``input_ids`` and ``attention_mask`` [n, tokens] per column; the same on
                every rank.
            labels: ``cells`` of :class:`~trainer.losses.batch.Cell` [B, C], or in their place ``entries``
                [n, 3] of :meth:`~trainer.mining.KnownPairs.entries`; ``weight`` [B] of each listing's pair,
                ``row`` [B] where :attr:`watch` is set, ``agreement`` [B] of its reviewers where it is
                known, and ``champion`` [K, d] where the last column is to be distilled; or a tensor of
                cells alone.
        """
        columns = list(sentence_features)
        embeddings = self._embed(columns)
        count = len(columns[0]["input_ids"])
        champion = labels.get("champion") if isinstance(labels, Mapping) else None
        end = len(embeddings) - (0 if champion is None else len(champion))
        listings, items = embeddings[:count], embeddings[count:end]
        distilled = None if champion is None else embeddings[end:]
        cells = _cells(labels, count, len(items)) if isinstance(labels, Mapping) else labels
        weight = labels["weight"] if isinstance(labels, Mapping) else None
        agreement = labels.get("agreement") if isinstance(labels, Mapping) else None
        # Cosines, softmax and heads stay in full precision under mixed precision.
        with torch.autocast(device_type=embeddings.device.type, enabled=False):
            batch = make_batch(listings, items, cells, weight, agreement, distilled, champion)
            if self.agreement is not None and torch.is_grad_enabled():
                batch = self.agreement.weighed(batch)
            if self.watch is not None and isinstance(labels, Mapping) and torch.is_grad_enabled():
                with torch.no_grad():
                    self.watch(labels["row"], batch)
            return {name: self.weights[name] * part(batch) for name, part in self.parts.items()}

    def rows_at_once(self, rows: int) -> int:
        """How many of a batch's texts this rank runs in one pass."""
        own = -(-rows // self.ranks.size)
        return min(own, self.chunk_rows or own, self.cache_rows or own)

    def _embed(self, columns: list[dict[str, Tensor]]) -> Tensor:
        """Embeddings of all texts of all columns, [sum of rows, d], in order."""
        features = _concatenate(columns)
        lengths = features["attention_mask"].sum(dim=1)
        rows = len(lengths)
        lengths, order = torch.sort(lengths, stable=True)
        # Every rank takes every N-th text by length: shares of the same work.
        share = self.ranks.share(rows).to(order.device)
        own = order[share]
        chunks = _chunks(features, own, lengths[share], self.rows_at_once(rows))
        caching = self.cache_rows is not None and len(own) > self.cache_rows
        if self.ranks.size == 1 and not caching:
            embeddings = torch.cat([self._encode(chunk.features) for chunk in chunks])
            return embeddings[_inverse(order)]
        # A rank without texts embeds one that is not its own, to know the shape of nothing.
        spare = None if chunks else _chunks(features, order[:1], lengths[:1], 1)[0]
        return self._detached(chunks, spare, order, caching)

    def _detached(self, chunks: list[_Chunk], spare: _Chunk | None, order: Tensor, caching: bool) -> Tensor:
        """Embeddings outside the encoder's graph, whose gradient is carried into the encoder by a hook."""
        training = torch.is_grad_enabled()
        states: list[_RandomState] = []
        kept: list[Tensor] = []
        own = torch.empty(0)
        failure: Exception | None = None
        try:
            with torch.set_grad_enabled(training and not caching):
                for chunk in chunks:
                    states.append(_RandomState.of(order.device))
                    kept.append(self._encode(chunk.features))
                own = self._encode(spare.features)[:0] if spare else torch.cat(kept)
        except Exception as error:
            if self.ranks.size == 1 or not is_out_of_memory(error):
                raise
            failure = error
        # The other ranks wait for this one's embeddings, so all of them must learn that there are none.
        if self.ranks.any(failure is not None):
            raise torch.OutOfMemoryError("out of memory on one of the ranks") from failure
        # Weights that were cast to half precision without a graph must not be taken for the second pass.
        torch.clear_autocast_cache()
        whole = self.ranks.gather(own, len(order))[_inverse(order)]
        if training:
            whole.requires_grad_()
            if caching:
                autocast = _Autocast.of(order.device)
                hook = functools.partial(self._again, chunks, states, autocast)
            else:
                hook = functools.partial(_onward, chunks, kept)
            whole.register_hook(hook)  # type: ignore[no-untyped-call]
        return whole

    def _again(
        self, chunks: Sequence[_Chunk], states: Sequence[_RandomState], autocast: _Autocast, gradient: Tensor
    ) -> None:
        """Embed every chunk once more, with a graph, and send its rows of ``gradient`` [rows, d] down."""
        # One autocast around all of them casts the weights to half precision once; going back is done
        # outside of it, as in one pass.
        with autocast.entered():
            for chunk, state in zip(chunks, states, strict=True):
                with state.restored(), torch.enable_grad():
                    embedding = self._encode(chunk.features)
                with torch.autocast(autocast.device_type, enabled=False):
                    _onward([chunk], [embedding], gradient)

    def _encode(self, features: dict[str, Tensor]) -> Tensor:
        # The model adds what it computes to the mapping it is given, and would keep it alive there.
        embedding: Tensor = self.model(dict(features))["sentence_embedding"]
        return embedding


@dataclass(frozen=True)
class _Chunk:
    """Texts of one pass: their rows in the batch [n] and their tokens [n, longest of them]."""

    rows: Tensor
    features: dict[str, Tensor]


@dataclass(frozen=True)
class _RandomState:
    """The generators that dropout draws from, as they were before a pass."""

    device: torch.device
    cpu: Tensor
    cuda: Tensor | None

    @classmethod
    def of(cls, device: torch.device) -> _RandomState:
        """The state now."""
        cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        return cls(device, torch.random.get_rng_state(), cuda)

    @contextmanager
    def restored(self) -> Iterator[None]:
        """The state then, for the length of the block."""
        with torch.random.fork_rng(devices=[] if self.cuda is None else [self.device]):
            torch.random.set_rng_state(self.cpu)
            if self.cuda is not None:
                torch.cuda.set_rng_state(self.cuda, self.device)
            yield


@dataclass(frozen=True)
class _Autocast:
    """Mixed precision as it was in the first pass; a backward pass runs outside of it."""

    device_type: str
    dtype: torch.dtype
    enabled: bool

    @classmethod
    def of(cls, device: torch.device) -> _Autocast:
        """As it is now."""
        kind = device.type
        return cls(kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind))

    def entered(self) -> torch.autocast:
        """A context that restores it."""
        return torch.autocast(self.device_type, dtype=self.dtype, enabled=self.enabled)


def _onward(chunks: Sequence[_Chunk], embeddings: Sequence[Tensor], gradient: Tensor) -> None:
    """Send each chunk's rows of ``gradient`` [rows, d] down the graph of its embeddings [n, d]."""
    if chunks:
        parts = [gradient[chunk.rows].to(part.dtype) for chunk, part in zip(chunks, embeddings, strict=True)]
        torch.autograd.backward(list(embeddings), parts)


def _chunks(features: Mapping[str, Tensor], rows: Tensor, lengths: Tensor, size: int) -> list[_Chunk]:
    """The texts of ``rows`` [n], whose ``lengths`` [n] in tokens rise, in chunks of at most ``size``."""
    # Read at once, before there is work for a GPU: each read waits for all that it was given.
    longest = lengths.tolist()[size - 1 :: size]
    if len(rows) % size:
        longest.append(int(lengths[-1]))
    return [
        _Chunk(part, {name: values[part, :width] for name, values in features.items()})
        for part, width in zip(torch.split(rows, size) if len(rows) else (), longest, strict=True)
    ]


def _cells(labels: Mapping[str, Tensor], listings: int, items: int) -> Tensor:
    """The cells [B, C] of a batch."""
    if "entries" not in labels:
        return labels["cells"]
    return cell_matrix(labels["entries"], listings, items)


def _inverse(order: Tensor) -> Tensor:
    """The permutation that undoes ``order`` [n]."""
    back = torch.empty_like(order)
    back[order] = torch.arange(len(order), device=order.device)
    return back


def _concatenate(columns: list[dict[str, Any]]) -> dict[str, Tensor]:
    """The token matrices of all columns under each other, padded on the right to the widest."""
    names = [
        name for name in ("input_ids", "attention_mask", "token_type_ids") if all(name in c for c in columns)
    ]
    width = max(column["input_ids"].shape[1] for column in columns)
    return {
        name: torch.cat(
            [nn.functional.pad(column[name], (0, width - column[name].shape[1])) for column in columns]
        )
        for name in names
    }
