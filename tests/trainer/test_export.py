"""Exporting an encoder: what the engine computes is what the torch module computes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from engine.backends.base_encoder import ensure_base_encoder
from engine.backends.onnx_encoder import OnnxEncoder, file_sha256
from engine.contracts import Finished
from engine.contracts.training import ENCODER_FILES, EncoderInfo
from engine.errors import BugError, InputError, TrainerMissingError
from tests.fakes import (
    TINY_MAX_TOKENS,
    make_tiny_encoder,
    make_tiny_sentence_transformer,
    tiny_config,
    tiny_tokenizer,
    tiny_vocabulary,
    tiny_weights,
)
from trainer.bert_graph import bert_graph, bert_shape
from trainer.bert_int8 import Range, bert_int8_graph, calibrate
from trainer.encoder_files import Encoder, Graphs, Verification, tokenise, write_encoder
from trainer.export import export_encoder, main
from trainer.sample_texts import SAMPLE_TEXTS

#: None of these is a sample text that the scales of int8 are taken from.
TITLES = [
    "Electrolux EN3601MOX American fridge freezer 337 l stainless",
    "Xiaomi Mi Band 6 activity tracker",
    "",
    "ČESKÝ název výrobku s diakritikou 12 ks",
    "Anker PowerCore 20100 mAh portable charger, black - 2 x USB (A1271H11)",
    "hp elitebook 840 g8 14in i5-1135g7 8gb 256gb ssd w10p",
    "x",
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_sentence_transformer(tmp_path_factory.mktemp("source") / "tiny")


@pytest.fixture(scope="module")
def exported(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "encoder"
    export_encoder(source, out)
    return out


def _by_torch(folder: Path, texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return model.encode(texts, normalize_embeddings=True, show_progress_bar=False)


def _cosines(folder: Path, source: Path, variant: str) -> np.ndarray:
    vectors = OnnxEncoder.load(folder, variant=variant, device="cpu").encode(TITLES)
    return np.sum(vectors * _by_torch(source, TITLES), axis=1)


# --- the encoder folder -------------------------------------------------------------------------


def test_that_an_export_is_a_whole_encoder_folder(exported, source):
    assert sorted(path.name for path in exported.iterdir()) == sorted(ENCODER_FILES)
    info = EncoderInfo.model_validate_json((exported / "encoder.json").read_bytes())
    assert info.files == {name: file_sha256(exported / name) for name in info.files}
    assert set(info.files) == set(ENCODER_FILES) - {"encoder.json"}
    assert info.source_sha256 == file_sha256(source / "model.safetensors")
    assert (info.dimension, info.max_tokens, info.pad_token_id) == (32, TINY_MAX_TOKENS, 0)
    assert info.parity["fp32"] > 0.9999


@pytest.mark.parametrize(("variant", "least"), [("fp32", 0.99999), ("fp16", 0.9999), ("int8", 0.999)])
def test_that_every_variant_computes_what_the_torch_module_does(exported, source, variant, least):
    assert _cosines(exported, source, variant).min() > least


@pytest.mark.parametrize("variant", ["encoder.onnx", "encoder.int8.onnx", "encoder.fp16.onnx"])
def test_that_every_file_takes_int64_ids_and_gives_float32(exported, variant):
    graph = onnx.load(str(exported / variant)).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    assert kinds == {
        "input_ids": onnx.TensorProto.INT64,
        "attention_mask": onnx.TensorProto.INT64,
        "embedding": onnx.TensorProto.FLOAT,
    }


def test_that_the_tiny_encoder_of_the_tests_is_the_export_of_its_source(exported, tmp_path):
    fake = OnnxEncoder.load(make_tiny_encoder(tmp_path / "fake"), variant="fp32", device="cpu")
    real = OnnxEncoder.load(exported, variant="fp32", device="cpu")
    np.testing.assert_allclose(fake.encode(TITLES), real.encode(TITLES), atol=1e-5)


def test_that_fewer_tokens_can_be_asked_for_but_not_more_than_the_model_takes(source, tmp_path):
    export_encoder(source, tmp_path / "short", max_tokens=16)
    export_encoder(source, tmp_path / "long", max_tokens=512)
    limits = [
        EncoderInfo.model_validate_json((tmp_path / name / "encoder.json").read_bytes()).max_tokens
        for name in ("short", "long")
    ]
    assert limits == [16, TINY_MAX_TOKENS]


# --- other architectures ------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_that_any_pooling_without_a_normalize_module_gives_unit_rows_as_torch_does(tmp_path, pooling):
    source = make_tiny_sentence_transformer(tmp_path / "source", pooling=pooling, normalise=False)
    export_encoder(source, tmp_path / "out")
    assert _cosines(tmp_path / "out", source, "fp32").min() > 0.99999
    vectors = OnnxEncoder.load(tmp_path / "out", variant="fp16", device="cpu").encode(TITLES)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def _as_sentence_transformer(model, folder: Path) -> Path:
    """A transformers model with the tiny tokenizer and mean pooling."""
    make_tiny_sentence_transformer(folder)
    model.save_pretrained(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def test_that_roberta_counts_its_positions_from_after_the_padding_id(tmp_path):
    import torch
    from transformers import RobertaConfig, RobertaModel

    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(tiny_vocabulary()),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=TINY_MAX_TOKENS + 1,
        initializer_range=0.3,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
    )
    source = _as_sentence_transformer(RobertaModel(config), tmp_path / "source")
    export_encoder(source, tmp_path / "out")
    assert _cosines(tmp_path / "out", source, "fp32").min() > 0.99999


def test_that_an_architecture_without_a_graph_of_its_own_is_traced(tmp_path):
    import torch
    from transformers import DistilBertConfig, DistilBertModel

    torch.manual_seed(0)
    config = DistilBertConfig(
        vocab_size=len(tiny_vocabulary()),
        dim=32,
        n_layers=2,
        n_heads=4,
        hidden_dim=64,
        max_position_embeddings=TINY_MAX_TOKENS,
        initializer_range=0.3,
    )
    assert bert_shape(config.to_dict()) is None
    source = _as_sentence_transformer(DistilBertModel(config), tmp_path / "source")
    export_encoder(source, tmp_path / "out")
    assert _cosines(tmp_path / "out", source, "fp32").min() > 0.99999
    assert _cosines(tmp_path / "out", source, "int8").mean() > 0.99


@pytest.mark.parametrize(
    "change", [{"model_type": "mpnet"}, {"hidden_act": "relu"}, {"position_embedding_type": "relative_key"}]
)
def test_that_what_is_not_quite_bert_has_no_bert_shape(change):
    assert bert_shape(tiny_config(32, 2)) is not None
    assert bert_shape(tiny_config(32, 2) | change) is None


# --- int8 ---------------------------------------------------------------------------------------


def _tiny_graphs(high: float | None = None) -> tuple[onnx.ModelProto, onnx.ModelProto, dict]:
    """float32 and int8 graph of the tiny BERT; with ``high`` every range ends there."""
    shape = bert_shape(tiny_config(32, 2))
    assert shape is not None
    weights = tiny_weights(32, 2)
    full = bert_graph(weights, shape, "mean")
    tokens = tokenise(tiny_tokenizer(), SAMPLE_TEXTS, TINY_MAX_TOKENS, 0)
    ranges = calibrate(full, shape, tokens)
    if high is not None:
        ranges = {
            name: Range(np.full_like(found.low, -high), np.full_like(found.high, high))
            for name, found in ranges.items()
        }
    return full, bert_int8_graph(weights, shape, "mean", ranges), tokens


def _encoder(graphs: Graphs) -> Encoder:
    return Encoder(graphs, tiny_tokenizer(), 32, TINY_MAX_TOKENS, 0, "tiny", "0" * 64)


def _run(model: onnx.ModelProto, tokens: dict) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["embedding"], dict(tokens))[0]


def test_that_padding_has_no_part_in_the_ranges_of_int8():
    shape = bert_shape(tiny_config(32, 2))
    assert shape is not None
    full = bert_graph(tiny_weights(32, 2), shape, "mean")
    narrow = tokenise(tiny_tokenizer(), ["sony"], TINY_MAX_TOKENS, 0)
    wide = {name: np.pad(values, ((0, 0), (0, 20))) for name, values in narrow.items()}
    for name, found in calibrate(full, shape, narrow).items():
        padded = calibrate(full, shape, wide)[name]
        np.testing.assert_allclose(found.low, padded.low, atol=1e-5)
        np.testing.assert_allclose(found.high, padded.high, atol=1e-5)


def test_that_one_huge_channel_does_not_cost_the_others_their_resolution():
    # Row 5 of the up-projection makes one gelu output forty times the others, as trained encoders do.
    weights = tiny_weights(32, 2)
    weights["encoder.layer.0.intermediate.dense.bias"][5] = 60.0
    weights["encoder.layer.0.output.dense.weight"][:, 5] *= 0.02
    shape = bert_shape(tiny_config(32, 2))
    assert shape is not None
    full = bert_graph(weights, shape, "mean")
    tokens = tokenise(tiny_tokenizer(), SAMPLE_TEXTS, TINY_MAX_TOKENS, 0)
    ranges = calibrate(full, shape, tokens)
    assert ranges["layer.0.gelu"].size.max() > 20 * np.median(ranges["layer.0.gelu"].size)
    int8 = bert_int8_graph(weights, shape, "mean", ranges)
    cosines = np.sum(_run(full, tokens) * _run(int8, tokens), axis=1)
    assert cosines.min() > 0.999


def test_that_fixed_scales_that_do_not_fit_give_way_to_dynamic_ones(tmp_path):
    full, bad, tokens = _tiny_graphs(high=0.05)
    wanted = _run(full, tokens)
    assert np.sum(_run(bad, tokens) * wanted, axis=1).mean() < 0.99
    parity = write_encoder(tmp_path, _encoder(Graphs(full, full, bad)), Verification(tokens, wanted))
    assert parity["int8_mean"] > 0.99


def test_that_a_float32_file_that_computes_something_else_is_refused(tmp_path):
    full, int8, tokens = _tiny_graphs()
    wanted = np.roll(_run(full, tokens), 1, axis=0)
    with pytest.raises(BugError, match="differs from tiny"):
        write_encoder(tmp_path, _encoder(Graphs(full, full, int8)), Verification(tokens, wanted))
    assert not (tmp_path / "encoder.json").exists()


# --- the base model and the command -------------------------------------------------------------


def test_that_the_base_encoder_in_int8_keeps_to_float32_on_product_titles(project_root):
    data = project_root.parent / "shared" / "data" / "promap_en" / "queries.csv"
    titles = TITLES
    if data.is_file():
        with data.open(newline="", encoding="utf-8") as stream:
            titles = [row["title"] for row in csv.DictReader(stream)][:60]
    try:
        *_, last = ensure_base_encoder()
    except TrainerMissingError as error:
        pytest.skip(error.message)
    assert isinstance(last, Finished)
    full, int8 = (OnnxEncoder.load(last.result, variant=v, device="cpu") for v in ("fp32", "int8"))
    cosines = np.sum(full.encode(titles) * int8.encode(titles), axis=1)
    assert cosines.mean() > 0.995
    assert cosines.min() > 0.985


def test_that_the_command_tells_its_steps_and_the_parity(source, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "trainer.export", str(source), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).resolve().parents[2],
    )
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    *steps, last = messages
    assert [message["done"] for message in steps] == list(range(steps[0]["total"]))
    assert last["parity"]["fp32"] > 0.9999
    assert OnnxEncoder.load(tmp_path / "out", device="cpu").dimension == 32


@pytest.mark.parametrize("missing", ["modules.json", "model.safetensors"])
def test_that_a_folder_that_is_no_sentence_transformer_is_refused_in_one_line(tmp_path, capsys, missing):
    source = make_tiny_sentence_transformer(tmp_path / "source")
    (source / missing).unlink()
    assert main([str(source), str(tmp_path / "out")]) == InputError.exit_code
    shown = capsys.readouterr().err
    assert missing in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_that_garbled_weights_are_the_users_to_mend(tmp_path):
    source = make_tiny_sentence_transformer(tmp_path / "source")
    (source / "model.safetensors").write_bytes(b"not weights at all")
    with pytest.raises(InputError, match="cannot be loaded"):
        export_encoder(source, tmp_path / "out")
