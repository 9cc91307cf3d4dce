"""``transfusion convert``: weights of Hugging Face to weights of CTranslate2."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from transfusion.cli.terminal import fails_clearly, say

EXAMPLES = """
Examples:

transfusion convert facebook/nllb-200-distilled-600M --output nllb-600M

transfusion convert checkpoints/easyproject --tokenizer facebook/nllb-200-3.3B --output easyproject
"""


@fails_clearly
def convert(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Folder with weights of Hugging Face, or a name on the hub.")
    ],
    output: Annotated[Path, typer.Option(help="Folder to make.")],
    quantization: Annotated[
        str,
        typer.Option(help="int8, int8_float32, int8_float16, int8_bfloat16, int16, float16, bfloat16 or float32."),
    ] = "int8",
    tokenizer: Annotated[
        str | None, typer.Option(help="Where the tokenizer comes from, if it is not beside the weights.")
    ] = None,
) -> None:
    """Convert the weights of a translation model once, for the engines nllb and hf.

    The engines do the same by themselves where they are given other weights, and keep the result in the cache folder.
    """
    from transfusion.checkpoint import find_checkpoint, find_tokenizer, is_converted
    from transfusion.errors import InputError
    from transfusion.translate.convert import convert as convert_weights

    begun = time.monotonic()
    say(f"looking for {model}")
    source = find_checkpoint(model)
    if is_converted(source):
        raise InputError(f"{source} is converted already: give it to the engines as it is")
    vocabulary = find_tokenizer(tokenizer or str(source))
    card = convert_weights(source, output, quantization=quantization, tokenizer=vocabulary, on_step=say)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    say(
        f"{output}: {card.architecture}, {card.quantization}, {size / 1e6:,.1f} MB, "
        f"weights {card.weights}, {time.monotonic() - begun:,.0f} seconds"
    )
