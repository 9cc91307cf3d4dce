"""A run of a training: batches in their order, a bar, a card, and checkpoints to go on from."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, SequentialSampler
from transformers import ProgressCallback, Trainer, TrainingArguments

from transfusion.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

log = logging.getLogger(__name__)

Example = TypeVar("Example")

RUN_CARD = "run.json"
FREE_TO_CHANGE = frozenset({"output", "checkpoint_steps"})
"""Settings that may differ when any training goes on: its batches and its weights do not depend on them."""


class RunSettings(Protocol):
    """What every configuration of a training says of its run."""

    @property
    def output(self) -> Path:
        """The folder to write to."""

    @property
    def learning_rate(self) -> float:
        """The highest learning rate."""

    @property
    def warmup(self) -> float:
        """Part of the steps in which the learning rate rises."""

    @property
    def checkpoint_steps(self) -> int:
        """Steps between checkpoints."""

    @property
    def seed(self) -> int:
        """For what is random in the network."""


class InOrder(Trainer):
    """A trainer whose batches come ready made, and in order: every epoch is laid out already.

    :param network: The network; it returns its loss under ``loss``.
    :param batches: The batches, one a step.
    :param collate: Makes the arguments of the network of a batch.
    :param settings: The configuration.
    :param schedule: How the learning rate falls to 0.
    :param weight_decay: Decoupled decay of weights.
    :param logging_steps: Steps between two lines about the loss.
    """

    def __init__(
        self,
        network: nn.Module,
        batches: Sequence[Sequence[Example]],
        collate: Callable[[Sequence[Example]], dict[str, Tensor]],
        settings: RunSettings,
        *,
        schedule: Literal["linear", "cosine"],
        weight_decay: float,
        logging_steps: int,
    ) -> None:
        super().__init__(
            model=network,
            args=TrainingArguments(
                output_dir=str(settings.output),
                per_device_train_batch_size=1,
                num_train_epochs=1,
                learning_rate=settings.learning_rate,
                lr_scheduler_type=schedule,
                warmup_steps=int(settings.warmup * len(batches)),
                weight_decay=weight_decay,
                bf16=True,
                seed=settings.seed,
                save_steps=settings.checkpoint_steps,
                save_total_limit=1,
                logging_steps=logging_steps,
                report_to=[],
                remove_unused_columns=False,
                dataloader_pin_memory=False,
                use_cpu=not torch.cuda.is_available(),
            ),
            train_dataset=_Batches(batches),
            data_collator=lambda batch: collate(batch[0]),
        )
        self.remove_callback(ProgressCallback)
        self.add_callback(_Progress)

    def run(self, card: Mapping[str, Any], checkpoint: Path | None) -> None:
        """Write the run card, and train.

        :param card: What the run card says.
        :param checkpoint: The checkpoint to go on from.
        """
        output = Path(str(self.args.output_dir))
        output.mkdir(parents=True, exist_ok=True)
        (output / RUN_CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        self.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        batches: Any = self.train_dataset if train_dataset is None else train_dataset
        return SequentialSampler(batches)


def find_checkpoint(output: Path, config: Mapping[str, Any], free: Collection[str] = FREE_TO_CHANGE) -> Path | None:
    """The newest whole checkpoint of a training that was interrupted, if there is one.

    :param output: Folder of the training.
    :param config: The configuration that is to go on, as :func:`plain` gives it.
    :param free: Settings that may differ from those of the checkpoints.
    :returns: Its folder.
    :raises ConfigError: If the checkpoints come from a configuration that would have made other batches.
    """
    # A checkpoint's state is written last: without it, the others are what a kill left behind.
    # The newest is not always the one with most steps: a training may have been started over.
    states = sorted(output.glob("checkpoint-*/trainer_state.json"), key=lambda path: path.stat().st_mtime_ns)
    if not states:
        return None
    try:
        before = json.loads((output / RUN_CARD).read_text(encoding="utf-8"))["config"]
    except (OSError, ValueError, KeyError) as error:
        log.warning("%s: cannot tell what its checkpoints are of (%s); going on from them", output, error)
        return states[-1].parent
    # A setting that the card does not know is newer than the run, and was at its default.
    changed = sorted(n for n in config if config[n] != before.get(n, config[n]) and n not in free)
    if changed:
        raise ConfigError(
            f"{output}: its checkpoints were made with other settings of {changed}; "
            "name another output, or start over without resuming"
        )
    return states[-1].parent


def plain(config: DataclassInstance) -> dict[str, Any]:
    """A configuration as JSON would give it back."""
    record: dict[str, Any] = json.loads(json.dumps(asdict(config), default=str))
    return record


class _Batches(Dataset[Sequence[Any]]):
    def __init__(self, batches: Sequence[Sequence[Any]]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Sequence[Any]:
        return self.batches[index]


class _Progress(ProgressCallback):
    """The bar with the losses beside it on standard error; the original prints them on standard output."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:  # noqa: ARG002
        if self.training_bar is not None:
            self.training_bar.write(f"step {state.global_step}: {logs}", file=sys.stderr)
