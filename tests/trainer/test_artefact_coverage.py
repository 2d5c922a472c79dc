"""What exported files would automate on the validation pairs, against the encoder they were made of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer

from tests.trainer.conftest import JobFolder
from trainer.artefact_coverage import artefact_coverage, coverage_notices
from trainer.data import read_pairs
from trainer.export import export_encoder
from trainer.validation import Validation

LEVELS = ("C@90", "C@95", "C@98")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "artefact"
    export_encoder(tiny_encoder, folder)
    return folder


@pytest.fixture
def validation(make_job: JobFolder, tiny_encoder: Path) -> tuple[Validation, SentenceTransformer]:
    model = SentenceTransformer(str(tiny_encoder), device="cpu", local_files_only=True)
    return Validation(model, read_pairs(make_job()), most_items=1000, seed=0), model


def test_that_every_file_is_measured_as_the_torch_module_is(
    exported: Path, validation: tuple[Validation, SentenceTransformer]
) -> None:
    measure, model = validation
    passes = 0

    def count() -> None:
        nonlocal passes
        passes += 1

    found = artefact_coverage(exported, measure, between=count)
    wanted = measure(model)
    assert list(found) == ["fp32", "int8", "fp16"]
    for level in LEVELS:
        assert found["fp32"][level] == pytest.approx(wanted[level], abs=1e-9)
    assert passes >= 6  # listings and items of three files


def test_that_a_file_that_computes_something_else_is_told_of(
    exported: Path, validation: tuple[Validation, SentenceTransformer], tmp_path: Path
) -> None:
    measure, _ = validation
    folder = tmp_path / "artefact"
    shutil.copytree(exported, folder)
    shutil.copyfile(folder / "encoder.onnx", folder / "encoder.int8.onnx")
    found = artefact_coverage(folder, measure)
    assert found["int8"] == found["fp32"]
    assert not coverage_notices({"fp32": {"C@90": 0.5}, "int8": {"C@90": 0.485}}, 50)
    lines = coverage_notices(
        {"fp32": {"C@90": 0.5, "C@95": 0.4}, "int8": {"C@90": 0.5, "C@95": 0.3}, "fp16": {"C@95": 0.4}}, 1250
    )
    assert lines == [
        "The int8 file automates less than the fp32 one on the 1,250 validation listings, by more than 0.02: "
        "C@95 0.400 -> 0.300."
    ]


def test_that_without_validation_pairs_there_is_nothing_to_measure(
    exported: Path, make_job: JobFolder, tiny_encoder: Path
) -> None:
    model = SentenceTransformer(str(tiny_encoder), device="cpu", local_files_only=True)
    pairs = read_pairs(make_job())
    empty = Validation(
        model, type(pairs)(pairs.item_texts, pairs.train, (), pairs.same_text), most_items=9, seed=0
    )
    assert artefact_coverage(exported, empty) == {}
