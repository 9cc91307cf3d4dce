"""An answer while it is written: its text, where its tokens stand in it, and when it is complete."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

from transfusion.decoder.base import AnswerList, Generation, Token
from transfusion.decoder.brackets import AnswerScanner

_CONTEXT = 8
"""So many tokens of the prompt decide how the first of the answer is written: whether a space goes before it."""


class Answer:
    """The tokens of an answer, as text.

    Text is put out when it is certain: a token that holds a part of a character adds nothing until the last part comes.

    :param tokenizer: The tokeniser of the library tokenizers.
    :param prompt: Tokens of the prompt.
    :param lists: The lists of the answer.
    """

    def __init__(self, tokenizer: Tokenizer, prompt: Sequence[int], lists: Sequence[AnswerList]) -> None:
        self._tokenizer = tokenizer
        self._window = list(prompt[-_CONTEXT:])
        self._certain = len(self._window)
        self._scanner = AnswerScanner(lists)
        self._pieces: list[str] = []
        self._spans: list[tuple[int, int]] = []
        self._logprobs: list[float] = []
        self._length = 0
        self.ids: list[int] = []
        self.finished = False

    def add(self, token: int) -> None:
        """Go on with a token.

        :param token: Its number.
        """
        piece = self._text_of(token)
        end = self._scanner.feed(piece)
        if end is not None:
            self.finished = True
            piece = piece[: end - self._length]
        self.ids.append(token)
        self._pieces.append(piece)
        self._spans.append((self._length, self._length + len(piece)))
        self._length += len(piece)

    def score(self, logprobs: Sequence[float]) -> None:
        """Say how probable the tokens were that were added last.

        :param logprobs: Natural logarithms of their probabilities.
        """
        self._logprobs += logprobs

    def _text_of(self, token: int) -> str:
        """What a token adds to the text, decoded in the company of those before it.

        The ``DecodeStream`` of tokenizers gives up on bytes that are no UTF-8, which a model may well write.
        """
        window = [*self._window, token]
        before, after = self._decode(window[: self._certain]), self._decode(window)
        if after.endswith("\ufffd"):  # a part of a character
            self._window = window
            return ""
        self._window = window[self._certain :]
        self._certain = len(self._window)
        return after[len(before) :]

    def _decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True)

    def generation(self) -> Generation:
        """The answer as others get it."""
        tokens = [Token(start, end, logp) for (start, end), logp in zip(self._spans, self._logprobs, strict=True)]
        return Generation("".join(self._pieces), self.finished, tuple(tokens))
