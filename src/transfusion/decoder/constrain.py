"""Holding answers to the grammar of their prompt, with llguidance.

On top of the grammar a loop is broken.  A weak model may write one item over and over; what the text cannot hold once
more closes the list.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from transfusion.decoder.base import Prompt
from transfusion.decoder.grammar import LIST_END, closing_grammar, lark_grammar
from transfusion.decoder.substrings import escape
from transfusion.errors import MissingExtraError, ModelError

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLParserLimits, LLTokenizer

_LOG = logging.getLogger(__name__)

_STRING = rb""""(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'"""
_ITEM = re.compile(rb"""\n {4}[^(\n]+\((?:[^"'()]|%s)*+\),""" % _STRING)
_SINGLE = re.compile(rb"=(%s)" % _STRING)
# How many items in a row that the text cannot hold once more make a loop; a duplicate alone does not.
_PATIENCE = 3
# Steps that llguidance may take for a grammar or a mask. Texts of a few thousand words need more than it allows itself.
_FUEL = 20_000_000


class GrammarConstraint:
    """Grammars over the vocabulary of one model; a :data:`transfusion.decoder.matching.ConstraintSource`.

    Making one takes seconds for a large vocabulary; a matcher, milliseconds.

    :param tokenizer: The model's tokenizer, of the kind that ``transformers`` calls fast.
    :param vocabulary_size: How many tokens the model gives a probability to, which may be more than the tokenizer has;
        ``None`` for as many.
    :raises MissingExtraError: If llguidance is not installed.
    :raises ModelError: If llguidance cannot take the tokenizer.
    """

    def __init__(self, tokenizer: Any, vocabulary_size: int | None = None) -> None:
        try:
            from llguidance import LLParserLimits
            from llguidance.hf import from_tokenizer
        except ImportError as error:
            raise MissingExtraError("llguidance", extra="decoder", purpose="constrained decoding") from error
        try:
            # Slices speed up grammars with long free strings, which ours never are.
            self.tokenizer: LLTokenizer = from_tokenizer(tokenizer, n_vocab=vocabulary_size, slices=[])
        except (ValueError, TypeError, AttributeError) as error:
            raise ModelError(f"llguidance cannot take the tokenizer {type(tokenizer).__name__}: {error}") from error
        self._limits = LLParserLimits(initial_lexer_fuel=_FUEL, step_lexer_fuel=_FUEL)

    def __call__(self, prompt: Prompt, /) -> GrammarMatcher:
        """A matcher for an answer.

        :param prompt: The prompt; it has opened the first list of the answer.
        :returns: The matcher, before the first token of the answer.
        :raises ModelError: If the prompt's texts are too long for llguidance.
        """
        return GrammarMatcher(prompt, self.tokenizer, self._limits)


def load_constraint(tokenizer: Any, vocabulary_size: int | None = None) -> GrammarConstraint | None:
    """The constraint for a model, if there can be one.

    :param tokenizer: As for :class:`GrammarConstraint`.
    :param vocabulary_size: As for :class:`GrammarConstraint`.
    :returns: The constraint; ``None``, and a warning in the log, if llguidance cannot take the tokenizer.
    """
    try:
        return GrammarConstraint(tokenizer, vocabulary_size)
    except ModelError as error:
        _LOG.warning("%s; answers are not constrained", error)
        return None


@dataclass(frozen=True, slots=True)
class _Mark:
    """A place up to which an answer has been understood.

    :param end: Bytes up to it.
    :param index: The list that it stands in.
    :param item: The item that ends here; nothing where a list begins.
    :param surplus: How many items in a row, with this one, say what the text cannot hold once more.
    """

    end: int
    index: int
    item: bytes = b""
    surplus: int = 0


class GrammarMatcher:
    """An answer on its way through the grammar of its prompt; a :class:`transfusion.decoder.matching.Matcher`.

    :param prompt: The prompt.
    :param tokenizer: The vocabulary.
    :param limits: How hard llguidance may try.
    """

    def __init__(self, prompt: Prompt, tokenizer: LLTokenizer, limits: LLParserLimits) -> None:
        self._prompt = prompt
        self._tokenizer = tokenizer
        self._limits = limits
        # Grammars, and after how many tokens each took over: one for the answer, one for each loop that was broken.
        self._parts = [(self._compile(lark_grammar(prompt)), 0)]
        self._written = bytearray()
        self._lengths: list[int] = []
        self._marks = [_Mark(0, 0)]

    def mask(self) -> NDArray[np.bool_]:
        """The tokens that may come next; of a finished answer, that which ends a text.

        :returns: A flag for every token. *Shape:* ``(vocabulary,)``.
        :raises ModelError: If the text is too long for llguidance.
        """
        matcher, _ = self._parts[-1]
        packed = np.frombuffer(matcher.compute_bitmask(), np.uint8)
        _check(matcher)
        return np.unpackbits(packed, count=self._tokenizer.vocab_size, bitorder="little").view(np.bool_)

    def accept(self, token: int, /) -> bool:
        """Go on by a token.

        :param token: Its number in the vocabulary.
        :returns: Whether it was allowed; if not, nothing has changed.
        """
        if self._parts[-1][0].try_consume_tokens([token]) != 1:
            return False
        piece = self._tokenizer.decode_bytes([token])
        self._written += piece
        self._lengths.append(len(self._written))
        if b"," in piece or b"[" in piece:  # what items and beginnings of lists end with
            self._understand()
            self._break_loop()
        return True

    def forced(self) -> list[int]:
        """The tokens that must come next, in the pieces that the tokenizer would cut their text into.

        :returns: The tokens; none where there is a choice, and none once the answer is finished.
        """
        return [] if self.finished() else self._parts[-1][0].compute_ff_tokens()

    def rollback(self, count: int, /) -> None:
        """Take back the last tokens.

        :param count: How many.
        :raises ValueError: If so many were not accepted.
        """
        kept, until = len(self._lengths) - count, len(self._lengths)
        if count < 0 or kept < 0:
            raise ValueError(f"cannot take back {count} tokens of {until}")
        while self._parts[-1][1] > kept:
            until = self._parts.pop()[1]
        self._parts[-1][0].rollback(until - kept)
        del self._lengths[kept:]
        del self._written[self._lengths[-1] if self._lengths else 0 :]
        while self._marks[-1].end > len(self._written):
            self._marks.pop()

    def finished(self) -> bool:
        """Whether the last list is closed."""
        matcher, _ = self._parts[-1]
        return matcher.is_accepting() or matcher.stop_reason() == "EndOfSentence"

    def _compile(self, grammar: str) -> LLMatcher:
        from llguidance import LLMatcher

        matcher = LLMatcher(self._tokenizer, grammar, log_level=0, limits=self._limits)
        _check(matcher)
        return matcher

    def _understand(self) -> None:
        """Read the items and beginnings of lists that have been completed."""
        while True:
            mark = self._marks[-1]
            if found := _ITEM.match(self._written, mark.end):
                self._marks.append(self._after_item(mark, found))
            elif mark.index + 1 < len(self._prompt.lists) and (end := self._after_list(mark)):
                self._marks.append(_Mark(end, mark.index + 1))
            else:
                return

    def _after_item(self, mark: _Mark, found: re.Match[bytes]) -> _Mark:
        item = found[0]
        text = self._prompt.lists[mark.index].text
        room = 1
        for string in _SINGLE.findall(item):
            room *= escape(text, chr(string[0])).encode().count(string[1:-1])
        before = sum(other.item == item for other in self._marks if other.index == mark.index)
        return _Mark(found.end(), mark.index, item, mark.surplus + 1 if before >= room else 0)

    def _after_list(self, mark: _Mark) -> int | None:
        """Where the next list begins, if it has."""
        rest = f"]{self._prompt.between[mark.index]}[".encode()
        for end in (b"\n" + rest, rest):
            if self._written.startswith(end, mark.end):
                return mark.end + len(end)
        return None

    def _break_loop(self) -> None:
        mark = self._marks[-1]
        rest = self._written[mark.end :].decode(errors="replace")
        # A tokenizer may have pieces that end one item and begin the next: then the loop is broken a turn later.
        if mark.surplus >= _PATIENCE and LIST_END.startswith(rest):
            closing = closing_grammar(self._prompt, mark.index, rest)
            self._parts.append((self._compile(closing), len(self._lengths)))


def _check(matcher: LLMatcher) -> None:
    if matcher.is_error():
        reason = matcher.get_error().partition("\n")[0]
        raise ModelError(f"no constraint can be made for this prompt ({reason}): shorten its text")
