"""Apertium: ways between languages, programs that live long, and texts that come out where they went in."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transfusion.errors import LanguageError, ModelError, TranslationError
from transfusion.translate.apertium import ApertiumTranslator
from transfusion.translate.apertium_modes import InstalledModes
from transfusion.translate.apertium_process import ModeProcess
from transfusion.translate.engines import load_translator

# A program in the place of Apertium's: it answers each text that ends with a NUL at once.
ANSWERING = """
import os, sys
from pathlib import Path
folder = Path(__file__).parent
(folder / f"{os.getpid()}.pid").touch()
text = b""
while piece := os.read(0, 65536):
    text += piece
    while b"\\0" in text:
        whole, _, text = text.partition(b"\\0")
        BODY
        os.write(1, whole + b"\\0")
"""

SPECIAL = [*"[]{}^$/\\<>@*#+~\"'%&=|_`.,:;!?()-", "\0", "\n", "\r\n", "\t", "\x07", "\x1f", "\x7f", "\x85", "  "]
SPECIAL += [
    "[[t:b:abc]]",
    "[#0]",
    "[]",
    "\\^",
    "^$",
    "😀",
    "👨‍👩‍👧",
    "\u200b",
    "\u2028",
    "\ufeff",
    "\U000f0041",
    "\U000f0080",
]


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], list[str]]:
    """Makes a program that does something with each text (``whole``, bytes) before it answers with it."""

    def make(body: str) -> list[str]:
        script = tmp_path / "program.py"
        script.write_text(ANSWERING.replace("BODY", textwrap.indent(body, " " * 8).strip()), encoding="utf-8")
        return [sys.executable, str(script)]

    return make


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes an Apertium of empty modes, with a program that leaves pipelines as they are."""

    def make(*modes: str, pipeline: str = "cat") -> Path:
        programs, folder = tmp_path / "bin", tmp_path / "share" / "apertium"
        programs.mkdir(exist_ok=True)
        (folder / "modes").mkdir(parents=True, exist_ok=True)
        for name, script in (("apertium", "echo Apertium 9.9.9"), ("apertium-wblank-mode", 'exec cat "$2"')):
            (programs / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            (programs / name).chmod(0o755)
        for mode in modes:
            (folder / "modes" / f"{mode}.mode").write_text(pipeline, encoding="utf-8")
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        return folder

    return make


def started(folder: Path) -> set[int]:
    return {int(path.stem) for path in folder.glob("*.pid")}


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def wait_until(true: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


class TestWays:
    MODES = (
        *("hbs-eng", "eng-hbs", "eng-hbs_HR", "eng-hbs_SR", "slv-hbs", "gl-en", "en-eo", "cat-eng", "ca-it", "it-ca"),
        *("nob-dan", "fra-cat", "fra-spa", "spa-eng", "eo-en-j", "Cyrl-Latn", "eco-es-fr", "xx-yy"),
    )

    @pytest.fixture
    def installed(self, installation: Callable[..., Path]) -> InstalledModes:
        installation(*self.MODES)
        return InstalledModes()

    @pytest.mark.parametrize(
        ("source", "target", "modes"),
        [
            ("glg", "eng", ["gl-en"]),  # names hold two letters or three
            ("hrv", "eng", ["hbs-eng"]),  # one system for four standard languages
            ("srp", "eng", ["hbs-eng"]),
            ("cnr", "eng", ["hbs-eng"]),
            ("hbs", "eng", ["hbs-eng"]),
            ("eng", "hrv", ["eng-hbs_HR"]),  # but each is written in its own way
            ("eng", "srp", ["eng-hbs_SR"]),
            ("eng", "cnr", ["eng-hbs"]),
            ("nor", "dan", ["nob-dan"]),  # the group means its usual member
            ("ita", "eng", ["it-ca", "cat-eng"]),  # through a third language
            ("slv", "epo", ["slv-hbs", "hbs-eng", "en-eo"]),
            ("fra", "eng", ["fra-cat", "cat-eng"]),  # of two ways of one length the first in the alphabet
            ("fra", "spa", ["fra-spa"]),
        ],
    )
    def test_the_shortest_way_is_found_in_whatever_codes_the_modes_are_named(
        self, installed: InstalledModes, source: str, target: str, modes: list[str]
    ) -> None:
        assert [mode.name for mode in installed.route(source, target)] == modes

    @pytest.mark.parametrize(("source", "target"), [("yor", "eng"), ("nno", "dan"), ("eng", "eng"), ("hrv", "srp")])
    def test_no_way_there_is_an_error_that_says_what_there_is(
        self, installed: InstalledModes, source: str, target: str
    ) -> None:
        with pytest.raises(LanguageError, match=f"from '{source}' into '{target}'") as caught:
            installed.route(source, target)
        if target == "eng":
            assert "into 'eng' it translates cat, fra, glg, hbs, ita, slv, spa" in str(caught.value)
        if target == "dan":
            assert "it translates nob" in str(caught.value)

    def test_a_target_that_nothing_leads_to_lists_the_modes(self, installed: InstalledModes) -> None:
        with pytest.raises(LanguageError, match=r"nothing into 'swa'; its modes are .*hbs-eng"):
            installed.route("eng", "swa")

    @pytest.mark.parametrize(
        ("chain", "modes"),
        [
            ("glg-eng-epo", ["gl-en", "en-eo"]),
            ("eo-en-j", ["eo-en-j"]),
            ("slv-hbs-eng", ["slv-hbs", "hbs-eng"]),
            ("en-hbs_SR", ["eng-hbs_SR"]),
        ],
    )
    def test_a_user_names_the_chain(self, installed: InstalledModes, chain: str, modes: list[str]) -> None:
        assert [mode.name for mode in installed.chain(chain)] == modes

    @pytest.mark.parametrize(("chain", "missing"), [("hbs-eng-swa", "eng-swa"), ("hbs", "'hbs'"), ("xx", "'xx'")])
    def test_a_chain_that_is_not_installed_says_what_is(
        self, installed: InstalledModes, chain: str, missing: str
    ) -> None:
        with pytest.raises(LanguageError, match=f"no Apertium mode {missing} is installed here; there are .*hbs-eng"):
            installed.chain(chain)

    def test_a_chain_goes_from_its_own_languages_only(self, installation: Callable[..., Path]) -> None:
        installation("hbs-eng")
        translator = ApertiumTranslator("hbs-eng")
        assert translator.translate(["kuća"], source="hrv", target="eng") != []
        with pytest.raises(LanguageError, match="hbs-eng translates from hbs into eng, not from slv into eng"):
            translator.translate(["hiša"], source="slv", target="eng")


class TestInstallation:
    def test_without_the_program_the_error_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        with pytest.raises(ModelError, match="apt-get install apertium apertium-hbs-eng"):
            load_translator("apertium")

    def test_without_any_pair_too(self, installation: Callable[..., Path]) -> None:
        installation()
        with pytest.raises(ModelError, match=r"no language pair in .*apt-get install apertium apertium-hbs-eng"):
            load_translator("apertium")

    def test_settings_come_from_a_command_line(self, installation: Callable[..., Path]) -> None:
        folder = installation("hbs-eng")
        options = {"folder": str(folder), "timeout": "5", "unknown_marks": "yes"}
        translator = load_translator("apertium:hbs-eng", options)
        assert isinstance(translator, ApertiumTranslator)
        assert (translator.timeout, translator.unknown_marks) == (5.0, True)

    def test_a_mode_that_is_no_pipeline_is_not_run(self, installation: Callable[..., Path], tmp_path: Path) -> None:
        installation("hbs-eng", pipeline=f"cat; touch {tmp_path}/ran")
        with pytest.raises(ModelError, match=r"hbs-eng\.mode is not a pipeline of programs"):
            ApertiumTranslator().translate(["kuća"], source="hrv", target="eng")
        assert not (tmp_path / "ran").exists()

    def test_a_program_of_a_mode_that_is_missing_is_named(self, installation: Callable[..., Path]) -> None:
        installation("hbs-eng", pipeline="cat | apertium-transfer-of-yore 'x.bin' | cat")
        with pytest.raises(ModelError, match="mode hbs-eng needs the program 'apertium-transfer-of-yore'"):
            ApertiumTranslator().translate(["kuća"], source="hrv", target="eng")

    def test_the_signature_is_of_the_data_and_not_of_where_it_is(
        self, installation: Callable[..., Path], tmp_path: Path
    ) -> None:
        signatures = []
        here, there = (tmp_path / folder / "hbs.bin" for folder in ("here", "there"))
        for data in (here, there):
            data.parent.mkdir()
            data.write_bytes(b"rules")
            installation("hbs-eng", "slv-hbs", pipeline=f"lt-proc '{data}'")
            signatures.append(ApertiumTranslator().signature)
            signatures.append(ApertiumTranslator("hbs-eng").signature)
        assert signatures[0] == signatures[2]
        assert signatures[1] == signatures[3]
        assert re.fullmatch(r"apertium:hbs-eng 9\.9\.9 [0-9a-f]{12}", signatures[1])
        there.write_bytes(b"other rules")
        assert ApertiumTranslator("hbs-eng").signature not in signatures
        assert ApertiumTranslator("hbs-eng", unknown_marks=True).signature.endswith(" unknown_marks")


class TestProcess:
    def test_a_row_of_programs_answers_each_text_and_lives_on(
        self, program: Callable[[str], list[str]], tmp_path: Path
    ) -> None:
        process = ModeProcess("upper", [["cat"], program("whole = whole.upper()"), ["cat"]])
        assert process.translate(["kuća", "grad"]) == ["KUćA", "GRAD"]
        assert process.translate([]) == []
        assert process.translate(["more"]) == ["MORE"]
        assert len(started(tmp_path)) == 1
        process.close()

    def test_texts_beyond_what_pipes_hold_do_not_lock_up(self) -> None:
        process = ModeProcess("copy", [["cat"], ["cat"]], timeout=60)
        texts = [f"{number} " + "riječ " * 50_000 for number in range(20)]
        assert process.translate(texts) == texts
        process.close()

    def test_programs_that_say_a_lot_do_not_lock_up(self, program: Callable[[str], list[str]]) -> None:
        process = ModeProcess("talker", [program("os.write(2, b'warning ' * 50_000)")], timeout=60)
        assert process.translate(["a", "b"]) == ["a", "b"]
        process.close()

    @pytest.mark.parametrize("death", ["os.kill(os.getpid(), 9)", "sys.exit(3)"])
    def test_programs_that_die_half_way_are_started_again_once(
        self, program: Callable[[str], list[str]], tmp_path: Path, death: str
    ) -> None:
        once = f"if b'deadly' in whole and not (folder / 'died').exists():\n    (folder / 'died').touch()\n    {death}"
        process = ModeProcess("mortal", [["cat"], program(once), ["cat"]])
        texts = [f"text {number}" for number in range(500)]
        texts[300] = "a deadly one"
        assert process.translate(texts) == texts
        assert len(started(tmp_path)) == 2
        process.close()

    @pytest.mark.parametrize(
        ("death", "how"),
        [
            ("os.kill(os.getpid(), 9)", "SIGKILL"),
            ("os.write(2, b'no such rule'); sys.exit(3)", "exit code 3.*no such rule"),
        ],
    )
    def test_what_dies_twice_at_one_text_is_an_error_that_says_how(
        self, program: Callable[[str], list[str]], death: str, how: str
    ) -> None:
        process = ModeProcess("hbs-eng", [["cat"], program(f"if b'deadly' in whole: {death}"), ["cat"]])
        with pytest.raises(TranslationError, match=f"(?s)mode hbs-eng died twice: .*{how}"):
            process.translate(["a", "a deadly one", "b"])
        assert process.translate(["a", "b"]) == ["a", "b"]
        process.close()

    def test_a_process_killed_from_outside_between_two_calls_is_no_trouble(
        self, program: Callable[[str], list[str]], tmp_path: Path
    ) -> None:
        process = ModeProcess("copy", [["cat"], program("pass"), ["cat"]])
        assert process.translate(["a"]) == ["a"]
        (victim,) = started(tmp_path)
        os.kill(victim, signal.SIGKILL)
        assert process.translate(["b", "c"]) == ["b", "c"]
        process.close()

    @pytest.mark.parametrize("silence", ["continue", "import time; time.sleep(60)"])
    def test_a_mode_that_prints_nothing_is_given_up(
        self, program: Callable[[str], list[str]], tmp_path: Path, silence: str
    ) -> None:
        process = ModeProcess("silent", [["cat"], program(silence)], timeout=1)
        with pytest.raises(TranslationError, match="mode silent gave no answer in 1 seconds"):
            process.translate(["a", "b"])
        assert wait_until(lambda: not any(map(alive, started(tmp_path))))

    def test_a_mode_that_swallows_a_text_never_shifts_the_answers(self, program: Callable[[str], list[str]]) -> None:
        process = ModeProcess("greedy", [program("if b'swallow' in whole: continue")])
        with pytest.raises(TranslationError, match="died twice: it answered text 1 when text 0 was due"):
            process.translate(["a", "swallow this", "b"])
        process.close()

    def test_a_mode_that_swallows_nuls_or_adds_some_still_answers_in_turn(
        self, program: Callable[[str], list[str]]
    ) -> None:
        process = ModeProcess("sloppy", [program(r"whole = b'\0' + whole + b'\0\0'")])
        assert process.translate(["a", "b", "c"]) == ["a", "b", "c"]
        process.close()

    def test_programs_end_with_whoever_holds_them(self, program: Callable[[str], list[str]], tmp_path: Path) -> None:
        process = ModeProcess("copy", [program("pass")])
        process.translate(["a"])
        (child,) = started(tmp_path)
        assert alive(child)
        del process
        gc.collect()
        assert not alive(child)

    @pytest.mark.parametrize("ending", ["", "os.kill(os.getpid(), 9)", "raise SystemExit(1)"])
    def test_programs_end_with_python_however_it_ends(
        self, program: Callable[[str], list[str]], tmp_path: Path, ending: str
    ) -> None:
        script = f"""
            import os
            from transfusion.translate.apertium_process import ModeProcess
            process = ModeProcess("copy", [["cat"], {program("pass")!r}])
            assert process.translate(["a"]) == ["a"]
            {ending}
        """
        path = os.pathsep.join(filter(None, ["src", os.environ.get("PYTHONPATH")]))
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            check=False,
            env={**os.environ, "PYTHONPATH": path},
            cwd=Path(__file__).parents[1],
        )
        assert len(started(tmp_path)) == 1
        assert wait_until(lambda: not any(map(alive, started(tmp_path))))

    def test_a_tagger_that_has_forgotten_something_is_started_anew(
        self, program: Callable[[str], list[str]], tmp_path: Path
    ) -> None:
        tagger = tmp_path / "apertium-tagger"
        body = "if b'odd' in whole: os.write(2, b'Error: A new ambiguity class was found.')"
        tagger.write_text(f"#!/bin/sh\nexec {' '.join(program(body))}\n", encoding="utf-8")
        tagger.chmod(0o755)
        process = ModeProcess("eng-spa", [["cat"], [str(tagger), "-z", "-g", "en.prob"]])
        assert process.translate(["a", "odd", "b", "c", "odd"]) == ["a", "odd", "b", "c", "odd"]
        assert process.translate(["d"]) == ["d"]
        assert len(started(tmp_path)) == 3
        process.close()


@pytest.fixture(scope="module")
def copy() -> Iterator[ModeProcess]:
    """A mode of one program that changes nothing."""
    process = ModeProcess("copy", [["cat"]], unknown_marks=True)
    yield process
    process.close()


class TestShielding:
    @given(st.lists(st.text() | st.lists(st.sampled_from(SPECIAL)).map("".join), max_size=20))
    def test_any_text_comes_through_programs_that_change_nothing(self, copy: ModeProcess, texts: list[str]) -> None:
        whole = [re.sub("[\ud800-\udfff]", "\ufffd", text) for text in texts]
        assert copy.translate(whole) == whole

    def test_half_a_surrogate_pair_becomes_a_replacement_character(self, copy: ModeProcess) -> None:
        assert copy.translate(["a\ud83db"]) == ["a\ufffdb"]


@pytest.fixture(scope="session")
def pairs() -> set[str]:
    """The names of the pairs that are installed here."""
    if shutil.which("apertium") is None:
        pytest.skip("needs Apertium: run scripts/apertium")
    return set(InstalledModes().by_name)


@pytest.fixture(scope="session")
def apertium(pairs: set[str]) -> Iterator[ApertiumTranslator]:
    """The real program with Croatian, Serbian and Slovene."""
    if not {"hbs-eng", "eng-hbs", "slv-hbs"} <= pairs:
        pytest.skip("needs apertium-hbs-eng and apertium-hbs-slv: run scripts/apertium")
    translator = ApertiumTranslator()
    yield translator
    translator.close()


def texts_of(translator: ApertiumTranslator, texts: list[str], source: str, target: str) -> list[str]:
    return [t.text if t else "" for t in translator.translate(texts, source=source, target=target)]


class TestRealProgram:
    def test_croatian_becomes_english(self, apertium: ApertiumTranslator) -> None:
        (translated,) = apertium.translate(["Predsjednik Srbije je stigao u Zagreb."], source="hrv", target="eng")
        assert translated is not None
        assert (translated.text, translated.language) == ("President Serbia arrived in Zagreb.", "eng")

    def test_slovene_becomes_english_by_way_of_croatian(self, apertium: ApertiumTranslator) -> None:
        (text,) = texts_of(apertium, ["Predsednik je prišel v Ljubljano."], "slv", "eng")
        assert text == "President came in Ljubljana."

    def test_unknown_words_stay_as_they_are_or_are_marked(self, apertium: ApertiumTranslator) -> None:
        sentence = "Qzwqx *kuća #2 @ xqzzw."
        assert texts_of(apertium, [sentence], "hrv", "eng") == ["Qzwqx *house #2 @ xqzzw."]
        assert texts_of(apertium, ["Qzwqx je xqzzw."], "slv", "eng") == ["Qzwqx is xqzzw."]
        marked = ApertiumTranslator(unknown_marks=True)
        assert texts_of(marked, ["Qzwqx je xqzzw."], "slv", "eng") == ["*Qzwqx is *xqzzw."]

    def test_white_space_round_a_text_stays_and_nothing_is_lost_on_a_blank_one(
        self, apertium: ApertiumTranslator
    ) -> None:
        given = [" \n kuća\t", "   ", "grad"]
        assert texts_of(apertium, given, "hrv", "eng") == [" \n house\t", "", "city"]
        assert apertium.translate(["", " \n"], source="hrv", target="eng") == [None, None]

    @pytest.mark.parametrize("special", SPECIAL, ids=ascii)
    def test_characters_that_mean_something_to_apertium_come_through(
        self, apertium: ApertiumTranslator, special: str
    ) -> None:
        frames = ["Xqzzw {} vwqqz", "Xqzzw{}vwqqz", "Xqzzw{} vwqqz", "Xqzzw {}vwqqz", "{}Xqzzw vwqqz", "Xqzzw vwqqz{}"]
        texts = [frame.replace("{}", special) for frame in [*frames, "12{}34", "Xqzzw{}{}{}"]]
        assert texts_of(apertium, texts, "hrv", "eng") == texts
        assert texts_of(apertium, texts, "slv", "eng") == texts

    @pytest.mark.parametrize(
        ("source", "target", "words"),
        [
            ("hrv", "eng", "Predsjednik Srbije je stigao u Zagreb kuću vidi se qzwqx 12. i"),
            ("slv", "eng", "Predsednik je prišel v hišo qzwqx 3 in"),
            # Its tagger's memory reaches beyond the end of a text: see ModeProcess.
            ("eng", "spa", "The president said a lot of competition transit BID Joe says like made headlines qzwqx 12"),
        ],
    )
    @settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def test_n_texts_in_are_n_answers_out_each_the_one_that_the_text_alone_gets(
        self, apertium: ApertiumTranslator, pairs: set[str], source: str, target: str, words: str, data: st.DataObject
    ) -> None:
        if target == "spa" and "eng-spa" not in pairs:
            pytest.skip("needs apertium-eng-spa: run scripts/apertium")
        pieces = st.sampled_from([f"{word} " for word in words.split()]) | st.sampled_from(SPECIAL) | st.characters()
        texts = data.draw(st.lists(st.lists(pieces, min_size=1, max_size=12).map("".join), max_size=8))
        together = apertium.translate(texts, source=source, target=target)
        alone = [apertium.translate([text], source=source, target=target) for text in reversed(texts)]
        assert together == [answer for (answer,) in reversed(alone)]

    def test_english_sentences_get_the_same_tags_in_any_order(
        self, apertium: ApertiumTranslator, pairs: set[str], shared_data: Path
    ) -> None:
        if "eng-spa" not in pairs:
            pytest.skip("needs apertium-eng-spa: run scripts/apertium")
        sentences = sentences_of(shared_data / "uner" / "en_pud-ud-test.iob2")[:40]
        forth = texts_of(apertium, sentences, "eng", "spa")
        back = texts_of(apertium, sentences[::-1], "eng", "spa")
        assert forth == back[::-1]
        assert len(set(forth)) == 40

    def test_a_caller_in_a_hurry_may_let_sentences_depend_on_those_before(
        self, apertium: ApertiumTranslator, pairs: set[str]
    ) -> None:
        if "eng-spa" not in pairs:
            pytest.skip("needs apertium-eng-spa: run scripts/apertium")
        hurried = ApertiumTranslator(independent=False)
        assert hurried.signature == f"{apertium.signature} in order", "caches must tell the two apart"
        assert texts_of(hurried, ["The house.", "The city."], "eng", "spa") == ["La casa.", "La ciudad."]

    def test_a_text_of_200_000_characters_without_a_full_stop(self, apertium: ApertiumTranslator) -> None:
        long = "prijestolonasljednik " * 9_600
        translation, short = texts_of(apertium, [long, "kuća"], "hrv", "eng")
        assert len(long) > 200_000
        assert len(translation.split()) == 9_600
        assert short == "house"

    def test_killed_half_way_it_goes_on(self, apertium: ApertiumTranslator) -> None:
        sentences = [f"Kuća {number} je u Zagrebu." for number in range(600)]
        expected = texts_of(apertium, sentences, "hrv", "eng")
        apertium.close()
        with ThreadPoolExecutor(1) as threads:
            again = threads.submit(texts_of, apertium, sentences, "hrv", "eng")
            assert wait_until(lambda: len(children("cg-proc")) == 1)
            (victim,) = children("cg-proc")
            os.kill(victim, signal.SIGKILL)
            assert again.result() == expected
        assert children("cg-proc") != [victim]

    def test_real_sentences_come_out_as_the_program_itself_gives_them(
        self, apertium: ApertiumTranslator, shared_data: Path
    ) -> None:
        sentences = sentences_of(shared_data / "uner" / "hr_set-ud-test.iob2")[:60]
        ours = texts_of(apertium, sentences, "hrv", "eng")
        run = subprocess.run(
            [shutil.which("apertium") or "", "-u", "hbs-eng"],
            input="\n\n".join(sentences),
            capture_output=True,
            text=True,
            check=True,
        )
        same = [a == b for a, b in zip(ours, run.stdout.split("\n\n"), strict=True)]
        assert sum(same) >= 57

    @pytest.mark.usefixtures("pairs")
    def test_all_installed_pairs_answer(self) -> None:
        installed = InstalledModes()
        direct = {(mode.source, mode.target) for mode in installed.by_name.values() if mode.source and mode.target}
        for source, target in sorted(direct):
            translator = ApertiumTranslator(timeout=60)
            texts = ["Xqzzw, 12 vwqqz [a]", "Ljubljana", "Zagreb ^"]
            answers = texts_of(translator, texts, source, target)
            assert ["Xqzzw" in answers[0], "[" in answers[0], answers[2].endswith("^")] == [True] * 3, (source, target)
            translator.close()


def children(program: str) -> list[int]:
    """The processes that this one started and that run a program."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone in the meantime
            name, _, fields = (process / "stat").read_text().partition("(")[2].rpartition(")")
            if name == program and fields.split()[1] == str(os.getpid()):
                found.append(int(process.name))
    return found


def sentences_of(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# text = ").strip() for line in lines if line.startswith("# text = ")]
