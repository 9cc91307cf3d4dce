"""Label schemas: which entities, relations and events to look for, and what is meant by them."""

from transfusion.schema.find import find_schema, schema_names
from transfusion.schema.news import NEWS
from transfusion.schema.types import EntityType, EventType, RelationType, Schema

__all__ = ["NEWS", "EntityType", "EventType", "RelationType", "Schema", "find_schema", "schema_names"]
