"""Loading what answers: the model is the first argument, and what a caller can set are the keyword-only ones."""

from __future__ import annotations

import json
from pathlib import Path

from transfusion.chat.client import ChatClient
from transfusion.chat.patience import Patience
from transfusion.chat.record import CallRecord, RecordedClient
from transfusion.chat.usage import Prices
from transfusion.decoder.base import Generator
from transfusion.decoder.causal import DType, Quantisation, load_causal
from transfusion.decoder.completions import CompletionsGenerator, Guided
from transfusion.errors import ModelError
from transfusion.prompting.model import ChatModel
from transfusion.schema.types import Schema
from transfusion.systems.base import Model
from transfusion.systems.card import ADAPTER
from transfusion.systems.chat import ChatSystems


def load_generator(
    model: str,
    *,
    base: str | None = None,
    adapter: str | None = None,
    device: str | None = None,
    dtype: DType | None = None,
    quantise: Quantisation | None = None,
    constrained: bool = True,
    max_new_tokens: int = 512,
    batch_tokens: int | None = None,
    threads: int | None = None,
) -> Generator:
    """Load a decoder to run in this process.

    :param model: A folder, a name on the hub, a ``.gguf`` file, or the folder of an adapter.
    :param base: What an adapter is for; what its configuration names when left out.
    :param adapter: An adapter for the model.
    :param device: ``cpu``, ``cuda`` or ``cuda:1``.
    :param dtype: Number format.
    :param quantise: ``nf4`` for weights in four bits.
    :param constrained: Whether answers are held to the grammar of their prompt.
    :param max_new_tokens: Most tokens of an answer.
    :param batch_tokens: How many tokens of prompts may be in work at once.
    :param threads: Threads to compute with; by default one for each core.
    :returns: The generator.
    :raises ModelError: If there is no such model, it is damaged, or the adapter is for another base.
    :raises ConfigError: If there is no such device or number format.
    :raises MissingExtraError: If a package that is needed is not installed.
    """
    if (Path(model) / ADAPTER).is_file():
        base, adapter = base or _base_of(Path(model) / ADAPTER), model
    # It makes sure of the packages that the import after it needs.
    causal = load_causal(base or model, adapter=adapter, device=device, dtype=dtype, quantise=quantise)
    from transfusion.decoder.generate import TransformersGenerator

    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    return TransformersGenerator(
        causal.model,
        causal.tokenizer,
        name=causal.name,
        batch_tokens=batch_tokens,
        max_new_tokens=max_new_tokens,
        constrained=constrained,
    )


def load_completions(
    model: str,
    *,
    base_url: str | None = None,
    api_key_env: str = "OPENAI_API_KEY",
    concurrency: int = 8,
    retries: int = 5,
    timeout: float = 600.0,
    max_tokens: int = 512,
    context: int | None = None,
    guided: Guided = "auto",
) -> Generator:
    """Make a decoder that runs behind a server for completions.

    :param model: Its name, as its server calls it.
    :param base_url: Address of the server, up to and with ``/v1``.
    :param api_key_env: Environment variable that holds the key.
    :param concurrency: Most requests at a time.
    :param retries: How often a request is repeated that the server is too busy for.
    :param timeout: Seconds for one answer.
    :param max_tokens: Most tokens of an answer.
    :param context: Most tokens that prompt and answer may be together; by default what the server says.
    :param guided: How the server is held to a grammar.
    :returns: The generator.
    :raises ConfigError: If a setting makes no sense.
    :raises MissingExtraError: If the package ``openai`` is not installed.
    """
    return CompletionsGenerator(
        model,
        base_url=base_url,
        api_key_env=api_key_env,
        concurrency=concurrency,
        max_tokens=max_tokens,
        context=context,
        guided=guided,
        patience=Patience(retries, timeout),
    )


def load_chat(
    name: str,
    model: str,
    schema: Schema,
    annotator: Model | None = None,
    threads: int | None = None,
    *,
    steps: int = 1,
    base_url: str | None = None,
    api_key_env: str = "OPENAI_API_KEY",
    concurrency: int = 4,
    retries: int = 5,
    timeout: float = 120.0,
    temperature: float = 0.0,
    max_tokens: int | None = None,
    max_labels: int = 40,
    max_characters: int = 8000,
    input_price: float | None = None,
    output_price: float | None = None,
    record: str | None = None,
) -> ChatSystems:
    """Make a chat model; nothing is asked yet.

    :param name: What tables and messages call it.
    :param model: Its name, as its server calls it.
    :param schema: What to extract.
    :param annotator: What annotates pivots instead of it.
    :param threads: Threads for aligning words.
    :param steps: 1 to ask for the annotations of pivot and source in one request, 2 for one after the other.
    :param base_url: Address of the server, up to and with ``/v1``.
    :param api_key_env: Environment variable that holds the key.
    :param concurrency: Most requests at a time.
    :param retries: How often a request is repeated that the server is too busy for.
    :param timeout: Seconds for one answer.
    :param temperature: 0 for the likeliest answer.
    :param max_tokens: Most tokens of an answer.
    :param max_labels: Most labels a request.
    :param max_characters: Most characters of a text and its translation in a request.
    :param input_price: Price of a million tokens that the model reads.
    :param output_price: Price of a million tokens that it writes.
    :param record: A file of answers: what stands there is not asked again.
    :returns: The model.
    :raises ConfigError: If a setting makes no sense.
    :raises OutputError: If no record can be kept there.
    :raises MissingExtraError: If the package ``openai`` is not installed.
    """
    client = ChatClient(
        model,
        base_url=base_url,
        api_key_env=api_key_env,
        concurrency=concurrency,
        patience=Patience(retries, timeout),
        temperature=temperature,
        max_tokens=max_tokens,
    )
    chat = ChatModel(
        RecordedClient(client, None if record is None else CallRecord(record)),
        schema,
        max_labels=max_labels,
        max_characters=max_characters,
        prices=Prices(input_price, output_price),
    )
    return ChatSystems(name, chat, steps=steps, annotator=annotator, threads=threads)


def _base_of(path: Path) -> str:
    try:
        base = json.loads(path.read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: not the configuration of an adapter: {error}") from error
    if not isinstance(base, str) or not base:
        raise ModelError(f"{path}: the adapter does not say which model it is for; name one (base=MODEL)")
    return base
