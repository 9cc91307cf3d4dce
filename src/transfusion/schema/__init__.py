"""Label schemas: which entities, relations and events to look for, and what is meant by them."""

from transfusion.schema.types import NEWS, EntityType, EventType, RelationType, Schema

__all__ = ["NEWS", "EntityType", "EventType", "RelationType", "Schema"]
