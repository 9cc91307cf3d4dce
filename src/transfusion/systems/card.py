"""What the card of a decoder says of it: the front matter of its ``README.md``, as cards on hubs have it.

Only what we write ourselves is understood: a name, a colon, and a value or a list in brackets on the same line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transfusion import folders
from transfusion.encoder.folder import CARD

ADAPTER = "adapter_config.json"
"""The file that makes a folder one of an adapter."""


@dataclass(frozen=True, slots=True)
class DecoderCard:
    """A decoder in the words of its card; what the card does not say is empty.

    :param schema: Name of the schema that it was trained with.
    :param base: The model that the adapter is for.
    :param description: One line for people.
    :param licence: Of the adapter.
    :param languages: ISO 639-3 codes.
    :param trained_on: The data.
    """

    schema: str = ""
    base: str = ""
    description: str = ""
    licence: str = ""
    languages: tuple[str, ...] = ()
    trained_on: tuple[str, ...] = ()


def read_card(model: str | Path) -> DecoderCard:
    """Read the card in a folder.

    :param model: The folder; anything else has no card.
    :returns: What it says.
    """
    try:
        text = (Path(model) / CARD).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return DecoderCard()
    front = text.split("\n---", 1)[0] if text.startswith("---\n") else ""
    pairs = (line.partition(":") for line in front.splitlines() if not line.startswith((" ", "-")))
    said = {key.strip(): value.strip() for key, _, value in pairs}
    return DecoderCard(
        schema=_plain(said.get("schema", "")),
        base=_plain(said.get("base_model", "")),
        description=_plain(said.get("description", "")),
        licence=_plain(said.get("license", "")),
        languages=_listed(said.get("language", "")),
        trained_on=_listed(said.get("datasets", "")),
    )


def shipped_decoders() -> Sequence[Path]:
    """The folders of the adapters that ship with the package, by name."""
    return sorted(path.parent for path in folders.BUILT_IN.glob(f"*/{ADAPTER}"))


def _plain(value: str) -> str:
    return value.strip("\"'")


def _listed(value: str) -> tuple[str, ...]:
    items = value.removeprefix("[").removesuffix("]").split(",") if value.startswith("[") else [value]
    return tuple(_plain(item.strip()) for item in items if item.strip())
