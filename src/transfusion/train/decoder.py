"""Training a decoder: low-rank adapters on a causal language model (Dettmers et al., *QLoRA*, NeurIPS 2023).

All prompts of a batch begin alike: with the guidelines.  That beginning goes through the network once, and the rest of
every prompt attends to its keys and values; gradients flow back through them, so the result is what it would be had
each prompt been read whole.  With guidelines longer than texts, as they are, most of the work is saved.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from torch import Tensor, nn
from torch.nn import functional
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from transfusion.decoder.causal import load_causal
from transfusion.errors import ConfigError
from transfusion.schema.classes import ClassDefinition, class_labels, entity_classes
from transfusion.schema.find import find_schema
from transfusion.train.decoder_config import DecoderTrainingConfig, read_decoder_config
from transfusion.train.decoder_data import IGNORED, Encoder, TokenSequence, common_beginning, make_batches, uses
from transfusion.train.run import InOrder, find_checkpoint, plain

log = logging.getLogger(__name__)


class SharedBeginning(nn.Module):
    """A language model that reads a batch whose sequences begin alike.

    :param model: The model, adapters in place.
    :param sampled: Pieces of the vocabulary that are drawn besides those of the batch; 0 for all.
    """

    def __init__(self, model: PeftModel, sampled: int) -> None:
        super().__init__()
        self.model = model
        self.sampled = sampled

    def forward(self, beginning: Tensor, ids: Tensor, mask: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The loss of a batch.

        :param beginning: Tokens that all sequences begin with. *Shape:* ``(beginning,)``
        :param ids: The tokens after it, padded on the right. *Shape:* ``(batch, rest)``
        :param mask: 1 where there is a token. *Shape:* ``(batch, rest)``
        :param labels: The token that follows each, ``IGNORED`` where none is learnt. *Shape:* ``(batch, rest)``
        :returns: The mean loss of the learnt tokens under ``loss``. *Shape:* ``()``
        """
        base: Any = self.model.get_base_model()
        body: Any = base.get_decoder()
        cache = body(input_ids=beginning[None], past_key_values=DynamicCache(), use_cache=True).past_key_values
        cache.batch_repeat_interleave(len(ids))
        whole = torch.cat([mask.new_ones(len(ids), len(beginning)), mask], dim=1)
        hidden = body(input_ids=ids, attention_mask=whole, past_key_values=cache, use_cache=True).last_hidden_state
        learnt = labels != IGNORED
        weight = base.get_output_embeddings().weight
        targets = labels[learnt]
        if self.sampled and self.sampled < len(weight):
            drawn = torch.randint(len(weight), (self.sampled,), device=ids.device)
            pieces, places = torch.unique(torch.cat([targets, ids.flatten(), drawn]), return_inverse=True)
            weight, targets = weight[pieces], places[: len(targets)]
        logits = functional.linear(hidden[learnt].to(weight.dtype), weight)
        return {"loss": functional.cross_entropy(logits.float(), targets)}


def collate(sequences: Sequence[TokenSequence], filler: int) -> dict[str, Tensor]:
    """A batch as :meth:`SharedBeginning.forward` takes it.

    :param sequences: The sequences.
    :param filler: The token that pads; it is never seen.
    :returns: ``beginning``, ``ids``, ``mask`` and ``labels``.
    """
    # The last token before the first that is learnt predicts it, so it is not shared.
    shared = min(common_beginning([one.ids for one in sequences]), min(one.learnt for one in sequences) - 1)
    width = max(len(one.ids) for one in sequences) - shared
    ids = torch.full((len(sequences), width), filler)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for row, one in enumerate(sequences):
        rest = torch.tensor(one.ids[shared:])
        ids[row, : len(rest)] = rest
        mask[row, : len(rest)] = 1
        labels[row, one.learnt - shared - 1 : len(rest) - 1] = rest[one.learnt - shared :]
    return {"beginning": torch.tensor(sequences[0].ids[:shared]), "ids": ids, "mask": mask, "labels": labels}


class _DecoderTrainer(InOrder):
    """Checkpoints hold the adapter; the base stays where it is."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ARG002
        folder = Path(output_dir or str(self.args.output_dir))
        _save_adapter(self.accelerator.unwrap_model(self.model).model, folder)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        from peft import load_peft_weights, set_peft_model_state_dict

        adapted = self.accelerator.unwrap_model(model or self.model).model
        set_peft_model_state_dict(adapted, load_peft_weights(resume_from_checkpoint, device="cpu"))


def train_decoder(
    config: DecoderTrainingConfig,
    base: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    classes: Sequence[ClassDefinition],
    names: Mapping[str, str],
    *,
    resume: bool = True,
) -> Path:
    """Train an adapter.

    :param config: The configuration.
    :param base: The base model.
    :param tokenizer: Its tokeniser.
    :param classes: Entity classes of the schema.
    :param names: Class name of each label.
    :param resume: Whether to go on from the newest checkpoint in the output folder, where there is one.
    :returns: The output folder: the adapter and the run card.
    :raises ConfigError: If there is no data, or the checkpoints are those of another configuration.
    """
    torch.manual_seed(config.seed)
    random = Random(config.seed)
    encoder = Encoder(tokenizer, tuple(classes), names, config)
    shown = uses(config, list(names))
    batches = [encoder.encode(batch, random) for batch in make_batches(shown, config.batch_size, random)]
    dropped = len(shown) - sum(map(len, batches))
    if dropped:
        log.warning("left out %d examples of more than %d tokens", dropped, config.longest)
    batches = [batch for batch in batches if batch]
    if not batches:
        raise ConfigError(f"no example is short enough: longest is {config.longest} tokens")
    batches = batches[: config.max_steps] if config.max_steps else batches
    tokens = sum(len(one.ids) for batch in batches for one in batch)
    log.info("%d examples, %d tokens, %d steps", sum(map(len, batches)), tokens, len(batches))
    model = _adapted(base, config)
    filler = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    trainer = _DecoderTrainer(
        SharedBeginning(model, config.sampled_softmax),
        batches,
        partial(collate, filler=filler),
        config,
        schedule="cosine",
        weight_decay=0.0,
        logging_steps=10,
    )
    checkpoint = find_checkpoint(config.output, plain(config)) if resume else None
    digest = hashlib.sha256(json.dumps([[one.ids for one in batch] for batch in batches]).encode()).hexdigest()
    card = {
        "config": plain(config),
        "classes": [asdict(one) for one in classes],
        "data_sha256": digest,
        "examples": sum(map(len, batches)),
        "tokens": tokens,
        "steps": len(batches),
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "torch": torch.__version__,
    }
    trainer.run(card, checkpoint)
    _write_adapter(model, config)
    return config.output


def train_decoder_from_config(path: Path, *, resume: bool = True) -> Path:
    """Train an adapter as a configuration file says.

    :param path: The configuration; see :func:`~transfusion.train.decoder_config.read_decoder_config`.
    :param resume: Whether to go on from the newest checkpoint in the output folder, where there is one.
    :returns: The output folder.
    :raises ConfigError: If a setting is wrong, or the checkpoints are those of another configuration.
    :raises ModelError: If the base cannot be loaded.
    :raises SchemaError: If there is no such schema.
    """
    config = read_decoder_config(path)
    classes = entity_classes(find_schema(config.schema))
    names = {label: name for name, label in class_labels(classes).items()}
    quantise = config.quantise == "nf4" or (config.quantise == "auto" and torch.cuda.is_available())
    base = load_causal(config.model, dtype="bfloat16", quantise="nf4" if quantise else None)
    prepare: Any = prepare_model_for_kbit_training
    network = prepare(base.model, use_gradient_checkpointing=False) if quantise else base.model
    return train_decoder(config, network, base.tokenizer, classes, names, resume=resume)


def _write_adapter(model: PeftModel, config: DecoderTrainingConfig) -> None:
    """Write the adapter in bf16, half the size that it was trained in, with the name of its base."""
    for settings in model.peft_config.values():
        settings.base_model_name_or_path = config.model
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.bfloat16()
    _save_adapter(model, config.output)


def _save_adapter(model: PeftModel, folder: Path) -> None:
    # Embeddings are never trained; left to find that out, peft asks the hub how large those of the base were.
    model.save_pretrained(str(folder), save_embedding_layers=False)
    # What peft writes there is a form that nobody has filled in.
    (folder / "README.md").unlink(missing_ok=True)


def _adapted(base: PreTrainedModel, config: DecoderTrainingConfig) -> PeftModel:
    if config.start:
        model = PeftModel.from_pretrained(base, config.start, is_trainable=True)
    else:
        settings = LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,
            lora_dropout=config.dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        model = get_peft_model(base, settings)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    return model
