"""Information extraction in languages without labelled data: translate, annotate, fuse; exact source offsets.

>>> import transfusion as tf
>>> pipe = tf.Pipeline.load("mini")
>>> document = pipe("Rais Ruto alikutana na Museveni mjini Kampala.", language="swa")
>>> [document.source.mention(entity) for entity in document.source.entities]
['Ruto', 'Museveni', 'Kampala']

Importing this package loads no model and no model runtime; :meth:`Pipeline.load` does.
"""

from transfusion.document import AnnotatedText, Argument, Document, Entity, Event, Note, Relation
from transfusion.errors import (
    ConfigError,
    FormatError,
    InputError,
    LanguageError,
    MissingExtraError,
    ModelError,
    OutputError,
    SchemaError,
    StageError,
    TransfusionError,
    TranslationError,
)
from transfusion.language import Language, get_language
from transfusion.pipeline import SYSTEMS, Pipeline, Stage
from transfusion.schema import EntityType, EventType, RelationType, Schema

__version__ = "0.1.0"

__all__ = [
    "SYSTEMS",
    "AnnotatedText",
    "Argument",
    "ConfigError",
    "Document",
    "Entity",
    "EntityType",
    "Event",
    "EventType",
    "FormatError",
    "InputError",
    "Language",
    "LanguageError",
    "MissingExtraError",
    "ModelError",
    "Note",
    "OutputError",
    "Pipeline",
    "Relation",
    "RelationType",
    "Schema",
    "SchemaError",
    "Stage",
    "StageError",
    "TransfusionError",
    "TranslationError",
    "__version__",
    "get_language",
]
