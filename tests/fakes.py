"""Stand-ins for the encoder: small BERTs with a real WordPiece tokenizer, made in well under a second.

Their weights are random, but so that a text's vector is close to the sum of its pieces' vectors: texts
that share most of their pieces are similar, which is what tests of matching need. Nothing here loads
torch.
"""

from __future__ import annotations

import itertools
import json
import string
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TINY_MAX_TOKENS = 64
_HEADS = 4


def tiny_vocabulary() -> dict[str, int]:
    """Special tokens, punctuation, and every one- and two-character piece of letters or digits."""
    letters = [*string.ascii_lowercase, *map("".join, itertools.product(string.ascii_lowercase, repeat=2))]
    digits = [*string.digits, *map("".join, itertools.product(string.digits, repeat=2))]
    pieces = [*letters, *digits]
    tokens = [*SPECIAL_TOKENS, *string.punctuation, *pieces, *(f"##{piece}" for piece in pieces)]
    return {token: number for number, token in enumerate(tokens)}


def tiny_tokenizer() -> Tokenizer:
    """A lowercasing WordPiece tokenizer over ``tiny_vocabulary`` that adds [CLS] and [SEP]."""
    vocabulary = tiny_vocabulary()
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return tokenizer


def tiny_config(dimension: int, layers: int) -> dict[str, object]:
    """``config.json`` of the tiny BERT."""
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": len(tiny_vocabulary()),
        "hidden_size": dimension,
        "num_hidden_layers": layers,
        "num_attention_heads": _HEADS,
        "intermediate_size": 2 * dimension,
        "max_position_embeddings": TINY_MAX_TOKENS,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    }


def tiny_weights(dimension: int, layers: int, seed: int = 0) -> dict[str, np.ndarray]:
    """The tiny BERT's state dict (float32), the same for the same arguments."""
    random = np.random.default_rng(seed)

    def normal(*shape: int, scale: float) -> np.ndarray:
        return random.normal(0.0, scale, shape).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": normal(len(tiny_vocabulary()), dimension, scale=1.0),
        "embeddings.position_embeddings.weight": normal(TINY_MAX_TOKENS, dimension, scale=0.05),
        "embeddings.token_type_embeddings.weight": normal(2, dimension, scale=0.05),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}."
        shapes = {
            "attention.self.query": (dimension, dimension),
            "attention.self.key": (dimension, dimension),
            "attention.self.value": (dimension, dimension),
            "attention.output.dense": (dimension, dimension),
            "intermediate.dense": (2 * dimension, dimension),
            "output.dense": (dimension, 2 * dimension),
        }
        for name, shape in shapes.items():
            weights[f"{prefix}{name}.weight"] = normal(*shape, scale=0.1)
            weights[f"{prefix}{name}.bias"] = normal(shape[0], scale=0.02)
        norms += [f"{prefix}attention.output.LayerNorm", f"{prefix}output.LayerNorm"]
    weights["pooler.dense.weight"] = normal(dimension, dimension, scale=0.1)
    weights["pooler.dense.bias"] = np.zeros(dimension, np.float32)
    for name in norms:
        weights[f"{name}.weight"] = np.ones(dimension, np.float32) + normal(dimension, scale=0.02)
        weights[f"{name}.bias"] = normal(dimension, scale=0.02)
    return weights


def make_tiny_sentence_transformer(
    folder: Path,
    dimension: int = 32,
    layers: int = 2,
    *,
    pooling: str = "mean",
    normalise: bool = True,
    seed: int = 0,
) -> Path:
    """Write a sentence-transformers folder with a small random BERT; returns the folder.

    ``dimension`` is a multiple of 4; ``pooling`` is mean, cls or max; without ``normalise`` the folder
    has no Normalize module.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kinds = ["Transformer", "Pooling", *(["Normalize"] if normalise else [])]
    paths = ["", "1_Pooling", "2_Normalize"]
    modules = [
        {"idx": i, "name": str(i), "path": paths[i], "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(kinds)
    ]
    pool = {
        "word_embedding_dimension": dimension,
        "pooling_mode_cls_token": pooling == "cls",
        "pooling_mode_mean_tokens": pooling == "mean",
        "pooling_mode_max_tokens": pooling == "max",
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    tokens = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    documents: dict[str, object] = {
        "modules.json": modules,
        "config.json": tiny_config(dimension, layers),
        "sentence_bert_config.json": {"max_seq_length": TINY_MAX_TOKENS, "do_lower_case": False},
        "tokenizer_config.json": {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": True,
            "model_max_length": TINY_MAX_TOKENS,
            **tokens,
        },
        "special_tokens_map.json": tokens,
        "1_Pooling/config.json": pool,
    }
    (folder / "1_Pooling").mkdir(exist_ok=True)
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, indent=1), encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(tiny_vocabulary()) + "\n", encoding="utf-8")
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    save_file(tiny_weights(dimension, layers, seed), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def make_tiny_encoder(folder: Path, dimension: int = 32, layers: int = 2, *, seed: int = 0) -> Path:
    """Write the encoder folder of that same BERT, as the trainer would, without torch; returns the folder."""
    from trainer.bert_graph import bert_shape
    from trainer.encoder_files import Encoder, Verification, bert_graphs, tokenise, write_encoder
    from trainer.sample_texts import SAMPLE_TEXTS

    shape = bert_shape(tiny_config(dimension, layers))
    assert shape is not None
    tokenizer = tiny_tokenizer()
    tokens = tokenise(tokenizer, SAMPLE_TEXTS, TINY_MAX_TOKENS, 0)
    graphs = bert_graphs(tiny_weights(dimension, layers, seed), shape, "mean", tokens)
    encoder = Encoder(
        graphs=graphs,
        tokenizer=tokenizer,
        dimension=dimension,
        max_tokens=TINY_MAX_TOKENS,
        pad_token_id=0,
        source=f"tiny BERT, seed {seed}",
        source_sha256="0" * 64,
    )
    write_encoder(folder, encoder, Verification(tokens, _run(graphs.full.SerializeToString(), tokens)))
    return folder


def _run(model: bytes, inputs: dict[str, np.ndarray]) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(["embedding"], inputs)[0]
