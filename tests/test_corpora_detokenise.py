"""Tokenised news becomes natural text, and every name stays under its span."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfusion.corpora.columns import read_gold
from transfusion.corpora.detokenise import detokenise
from transfusion.corpora.mafand import find_pair_files, read_pairs
from transfusion.corpora.overlap import fingerprint
from transfusion.document import AnnotatedText, Argument, Document, Entity, Event, Relation


def document(text: str, *entities: Entity) -> Document:
    return Document("d", AnnotatedText(text, "und", entities))


@pytest.mark.parametrize(
    ("tokenised", "natural"),
    [
        ("Ruto alikutana na Museveni .", "Ruto alikutana na Museveni."),
        ("Nani , wapi ; lini : sasa ! Kweli ? Ndiyo …", "Nani, wapi; lini: sasa! Kweli? Ndiyo…"),
        ("Umoja wa Mataifa ( UN ) [ New York ]", "Umoja wa Mataifa (UN) [New York]"),
        ('Alisema " nakuja " , kisha " naenda " .', 'Alisema "nakuja", kisha "naenda".'),
        ('be """" Katio """" la', 'be """"Katio"""" la'),
        ("alisema “ nakuja ” na « naenda »", "alisema “nakuja” na «naenda»"),
        ("Uganda 's president did n't come", "Uganda's president didn't come"),
        ("'Yan sanda sun kama", "'Yan sanda sun kama"),
        ("kashi 20 % da $ 5 , 000", "kashi 20% da $5,000"),
        ("mu 1959 , 1962 ne 3 . 5", "mu 1959, 1962 ne 3.5"),
        ("COVID - 19 ne Ado - Ekiti", "COVID-19 ne Ado-Ekiti"),
        ("Gomna - ( Legas )", "Gomna - (Legas)"),
        ("我 在 北京 工作 。", "我在北京工作。"),
        ("我 用 Python 工作", "我 用 Python 工作".replace("我 用", "我用")),
        ("서울 에서", "서울 에서"),
        ("two  spaces .", "two  spaces."),
        ("", ""),
    ],
)
def test_spaces_stand_where_people_write_them(tokenised: str, natural: str) -> None:
    assert detokenise(document(tokenised)).source.text == natural


def test_names_move_with_their_text() -> None:
    text = "Benki ( Benki ya Dunia ) , Ado - Ekiti ."
    moved = detokenise(document(text, Entity(8, 22, "ORG"), Entity(27, 38, "LOC"))).source
    assert moved.text == "Benki (Benki ya Dunia), Ado-Ekiti."
    assert [moved.mention(e) for e in moved.entities] == ["Benki ya Dunia", "Ado-Ekiti"]


def test_relations_and_events_move_too_and_the_pivot_stays() -> None:
    ruto, kampala, met = Entity(2, 6, "PER"), Entity(20, 27, "LOC"), Entity(9, 16, "Meet")
    source = AnnotatedText(
        "( Ruto ) aliwasi    Kampala .",
        "swa",
        (ruto, kampala),
        (Relation("in", ruto, kampala),),
        (Event("Meet", met, (Argument("who", ruto),)),),
    )
    before = Document("d", source, AnnotatedText("( Ruto ) arrived .", "eng"))
    after = detokenise(before)
    assert after.source.text == "(Ruto) aliwasi    Kampala."
    (relation,), (event,) = after.source.relations, after.source.events
    assert [after.source.mention(e) for e in (relation.head, relation.tail)] == ["Ruto", "Kampala"]
    assert after.source.mention(event.trigger) == before.source.mention(met)
    assert after.source.mention(event.arguments[0].entity) == "Ruto"
    assert after.pivot == before.pivot


TOKENS = st.one_of(
    st.sampled_from([*".,;:!?()[]«»“”\"'-/%$", "'s", "n't", '""""', "...", "12", "000", "北京", "を", "นา"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters=" "), max_size=4),
)


@given(st.lists(TOKENS, max_size=12), st.data())
def test_nothing_but_spaces_goes_and_every_span_covers_the_same_characters(
    tokens: list[str], data: st.DataObject
) -> None:
    text = " ".join(tokens)
    words = [i for i, token in enumerate(tokens) if token]
    starts = [sum(len(t) + 1 for t in tokens[:i]) for i in range(len(tokens))]
    entities = []
    if words:
        for _ in range(data.draw(st.integers(0, 3))):
            first, last = sorted(data.draw(st.tuples(st.sampled_from(words), st.sampled_from(words))))
            entities.append(Entity(starts[first], starts[last] + len(tokens[last]), "X"))
    before = document(text, *entities).source
    after = detokenise(document(text, *entities)).source
    assert after.text.replace(" ", "") == text.replace(" ", "")
    for old, new in zip(before.entities, after.entities, strict=True):
        old_mention, new_mention = before.mention(old), after.mention(new)
        assert new_mention.replace(" ", "") == old_mention.replace(" ", "")
        assert new_mention[0] == old_mention[0]
        assert new_mention[-1] == old_mention[-1]


def test_most_sentences_come_out_as_the_news_had_them(shared_data: Path) -> None:
    natural: dict[str, str] = {}
    for split in ("train", "dev", "test"):
        for path in find_pair_files(shared_data / "mafand", split):
            if path.parent.name == "en-lug":
                natural |= {fingerprint(pair.source): pair.source for pair in read_pairs(path).pairs}
    gold = read_gold(shared_data / "masakhaner2/lug/dev.txt", language="lug")
    same = [
        detokenise(d).source.text == natural[fingerprint(d.source.text)]
        for d in gold.documents
        if fingerprint(d.source.text) in natural
    ]
    assert len(same) > 600
    assert sum(same) / len(same) > 0.9
