"""The systems of a decoder: what it is shown, what becomes of its answers, and what documents say of what went wrong.

The model is a fake that answers from a table: everything round it is real.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfusion.annotate.decoder import DecoderAnnotator
from transfusion.decoder.base import Generation, Prompt
from transfusion.decoder.fake import FakeGenerator
from transfusion.decoder.fit import Reading
from transfusion.decoder.model import DecoderModel
from transfusion.document import AnnotatedText, Argument, Document, Entity, Event, Relation, SentencePair
from transfusion.errors import ModelError
from transfusion.fuse.decoder import DecoderDirect, DecoderFuser
from transfusion.schema import EntityType, EventType, RelationType, Schema

NEWS = Schema.from_labels(["PER", "LOC"])
SOURCE = "Rais Ruto alikutana na Museveni mjini Kampala."
TRANSLATION = "President Ruto met Museveni in Kampala."
RUTO, KAMPALA = Entity(5, 9, "PER"), Entity(38, 45, "LOC")


def news(source: str = SOURCE, translation: str | None = TRANSLATION, entities: tuple[Entity, ...] = ()) -> Document:
    pivot = None if translation is None else AnnotatedText(translation, "eng", entities)
    return Document("1", AnnotatedText(source, "swa"), pivot)


def listed(*items: str) -> str:
    return "".join(f"\n    {item}," for item in items) + ("\n]" if items else "]")


def names(text: str) -> list[str]:
    """Items for names of the news, in reading order: a model that is never wrong."""
    known = {"Ruto": "PER", "Museveni": "PER", "Kampala": "LOC", "Nairobi": "LOC"}
    found = re.finditer("|".join(known), text)
    return [f'{known[name[0]]}(span="{name[0]}")' for name in found]


def read_well(prompt: Prompt) -> str:
    """The right answer to a prompt for names."""
    first, *others = (listed(*names(each.text)) for each in prompt.lists)
    return first + "".join(f"{b}[{other}" for b, other in zip(prompt.between, others, strict=True))


def model(answer: Callable[[Prompt], str] = read_well, schema: Schema = NEWS, context: int = 100_000) -> DecoderModel:
    return DecoderModel(FakeGenerator(answer, context=context), schema)


def prompts(of: DecoderModel) -> list[Prompt]:
    assert isinstance(of.generator, FakeGenerator)
    return of.generator.prompts


def mentions(text: AnnotatedText | None) -> list[tuple[str, str]]:
    assert text is not None
    return [(entity.label, text.mention(entity)) for entity in text.entities]


def codes(document: Document) -> list[str]:
    return [note.code for note in document.notes]


class TestOnePass:
    def test_fusion_annotates_pivot_and_source_in_one_answer(self) -> None:
        decoder = model()
        (done,) = DecoderFuser(decoder).fuse([news()])
        assert mentions(done.source) == [("PER", "Ruto"), ("PER", "Museveni"), ("LOC", "Kampala")]
        assert mentions(done.pivot) == [("PER", "Ruto"), ("PER", "Museveni"), ("LOC", "Kampala")]
        assert done.source.entities[0] == RUTO
        (prompt,) = prompts(decoder)
        assert prompt.text.endswith("\nresult = [")
        assert [each.name for each in prompt.lists] == ["result", "final_result"]
        assert done.notes == ()

    def test_without_a_translation_the_source_is_read_alone_and_says_so(self) -> None:
        decoder = model()
        for missing in (None, " \n"):
            (done,) = DecoderFuser(decoder).fuse([news(translation=missing)])
            assert codes(done) == ["no-translation"]
            assert mentions(done.source)[0] == ("PER", "Ruto")
        assert all("eng_text" not in prompt.text for prompt in prompts(decoder))

    def test_without_annotating_the_model_writes_the_source_alone(self) -> None:
        decoder = model()
        (done,) = DecoderFuser(decoder, annotate=False).fuse([news()])
        assert mentions(done.source)[0] == ("PER", "Ruto")
        assert done.pivot == news().pivot
        (prompt,) = prompts(decoder)
        assert "eng_text" in prompt.text
        assert prompt.text.endswith("\nfinal_result = [")

    def test_a_pivot_that_brings_its_entities_has_them_written_for_the_model(self) -> None:
        decoder = model()
        brought = (Entity(10, 14, "PER"),)
        (done,) = DecoderFuser(decoder).fuse([news(entities=brought)])
        assert done.pivot is not None
        assert done.pivot.entities == brought
        assert mentions(done.source) == [("PER", "Ruto"), ("PER", "Museveni"), ("LOC", "Kampala")]
        (prompt,) = prompts(decoder)
        assert '\nresult = [\n    PER(span="Ruto"),\n]\n\n# ' in prompt.text
        assert prompt.text.endswith("\nfinal_result = [")
        assert [each.name for each in prompt.lists] == ["final_result"]

    def test_a_brought_label_that_the_schema_lacks_is_named_and_the_rest_shown(self) -> None:
        decoder = model()
        (done,) = DecoderFuser(decoder).fuse([news(entities=(Entity(0, 9, "TITLE"), Entity(10, 14, "PER")))])
        assert codes(done) == ["unknown-label"]
        assert "TITLE" in done.notes[0].message
        assert '[\n    PER(span="Ruto"),\n]' in prompts(decoder)[0].text

    def test_direct_never_looks_at_the_translation(self) -> None:
        decoder = model()
        (done,) = DecoderDirect(decoder).fuse([news(entities=(Entity(0, 9, "TITLE"),))])
        assert done.pivot == news(entities=(Entity(0, 9, "TITLE"),)).pivot
        assert mentions(done.source)[0] == ("PER", "Ruto")
        assert "eng_text" not in prompts(decoder)[0].text

    def test_documents_come_back_in_order_whatever_they_bring(self) -> None:
        documents = [news(), news("Ruto", None), news(entities=(Entity(10, 14, "PER"),)), news("")]
        given_ = [replace(document, id=str(number)) for number, document in enumerate(documents)]
        done = DecoderFuser(model()).fuse(given_)
        assert [one.id for one in done] == ["0", "1", "2", "3"]
        assert [one.source.text for one in done] == [one.source.text for one in given_]
        assert done[3].source.entities == ()

    def test_an_annotator_keeps_what_pivots_bring_and_annotates_the_others(self) -> None:
        given_ = [news(), news(entities=(Entity(0, 9, "TITLE"),)), news(translation=None)]
        done = list(DecoderAnnotator(model())(given_))
        assert mentions(done[0].pivot)[0] == ("PER", "Ruto")
        assert done[1:] == given_[1:]
        assert done[0].source == given_[0].source

    def test_each_sentence_is_read_with_its_translation(self) -> None:
        source, translation = "Ruto alifika. Kampala ni mji.", "Ruto came. Kampala is a town."
        pairs = (SentencePair(0, 13, 0, 10), SentencePair(14, 29, 11, 29))
        decoder = model()
        (done,) = DecoderFuser(decoder).fuse([replace(news(source, translation), sentences=pairs)])
        assert [prompt.lists[-1].text for prompt in prompts(decoder)] == ["Ruto alifika.", "Kampala ni mji."]
        assert mentions(done.source) == [("PER", "Ruto"), ("LOC", "Kampala")]
        assert mentions(done.pivot) == [("PER", "Ruto"), ("LOC", "Kampala")]

    def test_a_sentence_without_names_in_a_brought_pivot_is_not_annotated_again(self) -> None:
        source, translation = "Ruto alifika. Kampala ni mji.", "Ruto came. Kampala is a town."
        pairs = (SentencePair(0, 13, 0, 10), SentencePair(14, 29, 11, 29))
        decoder = model()
        (done,) = DecoderFuser(decoder).fuse(
            [replace(news(source, translation, (Entity(0, 4, "PER"),)), sentences=pairs)]
        )
        assert mentions(done.pivot) == [("PER", "Ruto")]
        assert "\nresult = []\n" in prompts(decoder)[1].text


class TestWhatGoesWrong:
    def fused(self, answer: str) -> Document:
        (done,) = DecoderFuser(model(lambda prompt: answer.replace("BETWEEN", prompt.between[0]))).fuse([news()])
        return done

    def test_a_name_that_the_text_does_not_hold_is_no_entity_but_a_note(self) -> None:
        done = self.fused('\n    PER(span="Odinga"),\n]BETWEEN[\n    PER(span="Ruto"),\n    LOC(span="Mombasa"),\n]')
        assert mentions(done.source) == [("PER", "Ruto")]
        assert codes(done) == ["hallucinated", "hallucinated"]
        assert "'Odinga' (in the translation)" in done.notes[0].message
        assert "'Mombasa'" in done.notes[1].message

    def test_a_truncated_answer_keeps_what_is_whole_and_never_takes_the_pivots_names_for_the_sources(self) -> None:
        done = self.fused('\n    PER(span="Ruto"),\n    LOC(span="Kamp')
        assert mentions(done.pivot) == [("PER", "Ruto")]
        assert done.source.entities == ()
        assert "answer-truncated" in codes(done)
        assert "missing-list" in codes(done)
        assert {note.severity for note in done.notes} == {"warning"}

    def test_a_class_that_nobody_asked_for_is_named(self) -> None:
        done = self.fused(']BETWEEN[\n    SHIP(span="Ruto"),\n    PER(span="Ruto"),\n]')
        assert codes(done) == ["unknown-class"]
        assert mentions(done.source) == [("PER", "Ruto")]

    def test_garbage_is_not_an_answer(self) -> None:
        done = self.fused("I am sorry, I cannot do that.")
        assert done.source.entities == ()
        assert "answer-truncated" in codes(done)
        assert not done.failed

    def test_a_prompt_without_an_answer_fails_its_document_alone(self) -> None:
        class Refusing(FakeGenerator):
            def generate(self, asked: object, /) -> list[Generation]:
                assert isinstance(asked, list)
                return [
                    Generation("", finished=False, problem="HTTP 400 (too rude)")
                    if "BOOM" in prompt.text
                    else super(Refusing, self).generate([prompt])[0]
                    for prompt in asked
                ]

        decoder = DecoderModel(Refusing(read_well), NEWS)
        bad, good = DecoderFuser(decoder).fuse([news("BOOM"), news()])
        assert bad.failed
        assert bad.notes[0].message == "the model gave no answer: HTTP 400 (too rude)"
        assert not good.failed
        assert mentions(good.source)[0] == ("PER", "Ruto")


class TestWhatDoesNotFit:
    def test_a_text_longer_than_the_context_is_read_in_parts(self) -> None:
        source = "Ruto alifika jana mjini. " * 40 + "Museveni yuko Kampala."
        translation = "Ruto came to town yesterday. " * 40 + "Museveni is in Kampala."
        decoder = model(context=420)
        (done,) = DecoderFuser(decoder).fuse([news(source, translation)])
        assert codes(done) == ["split"]
        assert len(prompts(decoder)) > 2
        assert mentions(done.source) == [("PER", "Ruto")] * 40 + [("PER", "Museveni"), ("LOC", "Kampala")]
        assert mentions(done.pivot) == mentions(done.source)
        assert all(decoder.generator.count_tokens(prompt.text) < 420 for prompt in prompts(decoder))
        assert all(prompt.lists[-1].text.endswith(".") for prompt in prompts(decoder))

    @given(words=st.lists(st.sampled_from(["Ruto", "Kampala.", "alifika", "mji。", "na\n", "😀"]), max_size=60))
    def test_parts_lose_no_name_and_move_no_offset(self, words: list[str]) -> None:
        text = " ".join(words)
        whole = model().read([Reading(AnnotatedText(text, "swa"))])[0].source
        parts = model(context=160).read([Reading(AnnotatedText(text, "swa"))])[0].source
        assert mentions(parts) == mentions(whole)
        assert [(e.start, e.end) for e in parts.entities] == [(e.start, e.end) for e in whole.entities]

    def test_a_schema_of_three_hundred_labels_is_shown_in_groups(self) -> None:
        labels = [f"TYPE{number}" for number in range(298)]
        schema = Schema.from_labels([*labels, "PER", "LOC"])

        def known_only(prompt: Prompt) -> str:
            shown = {one.name for one in prompt.classes}
            lists = [[n for n in names(each.text) if n.partition("(")[0] in shown] for each in prompt.lists]
            first, second = (listed(*each) for each in lists)
            return f"{first}{prompt.between[0]}[{second}"

        decoder = model(known_only, schema, context=3000)
        done, other = DecoderFuser(decoder).fuse([news(), news()])
        shown = [one.name for prompt in prompts(decoder) for one in prompt.classes]
        assert len(prompts(decoder)) > 2
        assert sorted(shown) == sorted([*schema.labels, *schema.labels])
        assert mentions(done.source) == [("PER", "Ruto"), ("PER", "Museveni"), ("LOC", "Kampala")]
        assert codes(done) == codes(other) == ["schema-split"]

    def test_a_context_without_room_for_any_text_is_an_error_about_the_set_up(self) -> None:
        with pytest.raises(ModelError, match=r"context of 40 tokens is too small: the class PER takes"):
            DecoderFuser(model(context=40)).fuse([news()])
        with pytest.raises(ModelError, match="no room for the guidelines, a few words of text and an answer"):
            DecoderFuser(model(context=120)).fuse([news()])


SHIPS = Schema(
    (EntityType("Vessel"), EntityType("Port")),
    (RelationType("Near", head=("Vessel",), tail=("Port",)),),
    (EventType("Sinking", roles=("vessel", "place")),),
)
SHIP = "Meli MV Bukoba ilizama karibu na Mwanza."
ENGLISH = "The ship MV Bukoba sank near Mwanza."
BUKOBA, MWANZA, SANK = Entity(5, 14, "Vessel"), Entity(33, 39, "Port"), Entity(15, 22, "Sinking")


def read_ships(prompt: Prompt) -> str:
    bases = {one.base for one in prompt.classes}
    counts = [max(1, each.text.count("MV Bukoba")) for each in prompt.lists]
    if bases == {"Relation"}:
        right, wrong = 'Near(arg1="MV Bukoba", arg2="Mwanza")', 'Near(arg1="Mwanza", arg2="MV Bukoba")'
        return listed(*[right] * counts[0], wrong)
    if bases == {"Entity"}:
        first, *others = (listed(*['Vessel(span="MV Bukoba")', 'Port(span="Mwanza")'] * count) for count in counts)
    elif any(len(one.fields) > 1 for one in prompt.classes):
        sinking = 'Sinking(mention="ilizama", vessel=["MV Bukoba"], place=["Mwanza", "Titanic"])'
        return listed(*[sinking] * counts[0])
    else:
        words = ["sank" if "sank" in each.text else "ilizama" for each in prompt.lists]
        first, *others = (
            listed(*[f'Sinking(mention="{word}")'] * count) for word, count in zip(words, counts, strict=True)
        )
    return first + "".join(f"{b}[{other}" for b, other in zip(prompt.between, others, strict=True))


class TestRelationsAndEvents:
    def test_each_kind_has_its_own_prompt_with_what_was_found_before(self) -> None:
        decoder = model(read_ships, SHIPS)
        (done,) = DecoderFuser(decoder).fuse([news(SHIP, ENGLISH)])
        assert done.source.entities == (BUKOBA, MWANZA)
        arguments = (Argument("vessel", BUKOBA), Argument("place", MWANZA))
        assert done.source.events == (Event("Sinking", SANK, arguments),)
        assert done.source.relations == (Relation("Near", BUKOBA, MWANZA),)
        assert done.pivot is not None
        assert [done.pivot.mention(event.trigger) for event in done.pivot.events] == ["sank"]
        entities, triggers, roles, relations = prompts(decoder)
        assert (len(entities.lists), len(triggers.lists), len(roles.lists), len(relations.lists)) == (2, 2, 1, 1)
        assert '#    - "ilizama" triggers a Sinking event.\n' in roles.text
        assert '#    - "MV Bukoba": Vessel\n#    - "Mwanza": Port\n' in relations.text
        assert codes(done) == ["hallucinated", "wrong-argument"]

    def test_alone_the_text_has_the_same_prompts_without_a_translation(self) -> None:
        decoder = model(read_ships, SHIPS)
        (done,) = DecoderDirect(decoder).fuse([news(SHIP, ENGLISH)])
        assert len(done.source.relations) == len(done.source.events) == 1
        assert all("eng_text" not in prompt.text for prompt in prompts(decoder))

    def test_where_nothing_was_found_nothing_more_is_asked(self) -> None:
        decoder = model(lambda prompt: "]" + "".join(f"{between}[]" for between in prompt.between), SHIPS)
        (done,) = DecoderFuser(decoder).fuse([news(SHIP, ENGLISH)])
        assert not done.source.annotated
        assert len(prompts(decoder)) == 2

    def test_events_of_parts_find_their_places_in_the_whole(self) -> None:
        decoder = model(read_ships, SHIPS, context=400)
        (done,) = DecoderFuser(decoder).fuse([news(f"{SHIP} " * 12, f"{ENGLISH} " * 12)])
        assert len(done.source.events) == 12
        for number, event in enumerate(done.source.events):
            shift = number * (len(SHIP) + 1)
            assert event == Event("Sinking", SANK, (Argument("vessel", BUKOBA), Argument("place", MWANZA))).shifted(
                shift
            )
        assert len(done.source.relations) == 12
        assert "split" in codes(done)


def test_the_signature_tells_model_and_schema() -> None:
    assert model().signature.startswith("fake schema=")
    assert model().signature != model(schema=SHIPS).signature
    guided = Schema((EntityType("PER", "People."), EntityType("LOC")))
    assert model().signature != model(schema=guided).signature
