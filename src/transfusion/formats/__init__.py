"""Documents in and out: plain text, JSON lines, CoNLL columns and a web page."""

from __future__ import annotations

from transfusion.formats.read import count_documents, read_documents
from transfusion.formats.results import read_results
from transfusion.formats.write import OUTPUT_FORMATS, Output

__all__ = ["OUTPUT_FORMATS", "Output", "count_documents", "read_documents", "read_results"]
