"""The people, organisations and places of news text, as CoNLL-2003, MasakhaNER and Universal NER label them."""

from __future__ import annotations

from transfusion.schema.types import EntityType, Schema

NEWS = Schema(
    (
        EntityType(
            "PER",
            "People called by name: given names, family names, nicknames, initials. "
            "Titles and offices such as president or Dr. stay outside.",
            ("Yoweri Museveni", "Winnie Byanyima"),
            class_name="Person",
        ),
        EntityType(
            "ORG",
            "Groups with a name of their own: companies, parties, ministries, schools, clubs, armies, newspapers, "
            "international bodies.",
            ("Makerere University", "African Union"),
            class_name="Organization",
        ),
        EntityType(
            "LOC",
            "Places with a name: countries, regions, cities, villages, streets, rivers, lakes, mountains, landmarks.",
            ("Kampala", "Lake Victoria"),
            class_name="Location",
        ),
    )
)
"""What the models of this package are trained on: not a word of it can change without training them again."""

NEWS_AND_DATES = Schema(
    (
        *NEWS.entities,
        EntityType(
            "DATE",
            "Days, months, years, seasons, feasts and decades, absolute or counted from now. Times of day and spans of "
            "time without a place in the calendar stay outside.",
            ("21 May 1996", "last week"),
            class_name="Date",
        ),
    )
)
"""With dates, as MasakhaNER annotates them."""

NEWS_AND_MORE = Schema(
    (
        *NEWS.entities,
        EntityType(
            "MISC",
            "Names of anything else: peoples and languages, also as adjectives; events, works, products, wars, prizes.",
            ("Swahili", "World Cup"),
            class_name="Miscellaneous",
        ),
    )
)
"""With names of other things, as CoNLL-2003 annotates them."""
