"""Readers of published data sets. None of the data comes with the package; each reads a user's own copy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Corpus:
    """A data set that this package can read.

    :param description: What it holds, in one sentence.
    :param licence: Licence of the data, which also binds what is trained on it.
    :param reader: ``module:function`` that reads one of its files.
    """

    description: str
    licence: str
    reader: str


CORPORA: dict[str, Corpus] = {
    "conll2003": Corpus(
        "CoNLL-2003 English: persons, organisations, locations and others in Reuters news",
        "research use",
        "transfusion.corpora.columns:read_gold",
    ),
    "mafand": Corpus(
        "MAFAND-MT: news in African languages with their English or French originals",
        "CC BY-NC 4.0",
        "transfusion.corpora.mafand:read_pairs",
    ),
    "masakhaner2": Corpus(
        "MasakhaNER 2.0: persons, organisations, locations and dates in news, African languages",
        "CC BY-NC 4.0",
        "transfusion.corpora.columns:read_gold",
    ),
    "uner": Corpus(
        "Universal NER v1: persons, organisations and locations in Universal Dependencies treebanks",
        "CC BY-SA 4.0 or the treebank's own",
        "transfusion.corpora.columns:read_gold",
    ),
    "xsid": Corpus(
        "xSID 0.7: slots and intents of the same requests to an assistant in many languages",
        "CC BY-SA 4.0",
        "transfusion.corpora.columns:read_gold",
    ),
}
"""Every data set with a reader here, in the order of the names."""
