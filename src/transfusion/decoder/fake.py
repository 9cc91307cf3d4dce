"""A model without weights: it answers from a table, for tests and for trying out what goes round a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from transfusion.decoder.base import Generation, Prompt, Token
from transfusion.errors import ModelError


class FakeGenerator:
    r"""Answers prompts from a table or a function.

    >>> generator = FakeGenerator({"Ruto alifika": '\\n    PER(span="Ruto"),\\n]'})

    :param answers: What to write after a prompt: a function of the prompt; or answers by the text that the last list of
        the prompt is about, where any other text has empty lists.
    :param context: Most tokens that prompt and answer may be together; a token is four characters here.
    :param logprob: Natural logarithm of the probability of every token.
    """

    def __init__(
        self,
        answers: Callable[[Prompt], str] | Mapping[str, str] | None = None,
        *,
        context: int = 100_000,
        logprob: float = 0.0,
    ) -> None:
        self._answers = answers if answers is not None else {}
        self._context = context
        self._logprob = logprob
        self.prompts: list[Prompt] = []
        """Every prompt so far, for tests that look at what a model was shown."""

    @property
    def signature(self) -> str:
        """``fake``."""
        return "fake"

    @property
    def context(self) -> int:
        """Most tokens that prompt and answer may be together."""
        return self._context

    def count_tokens(self, text: str, /) -> int:
        """A token for every four characters, and one for what is left."""
        return -(-len(text) // 4)

    def generate(self, prompts: Sequence[Prompt], /) -> list[Generation]:
        """The answers of the table; see :meth:`transfusion.decoder.base.Generator.generate`.

        :param prompts: The prompts.
        :returns: An answer to each, in order.
        :raises ModelError: If a prompt is longer than the context.
        """
        return [self._generation(prompt) for prompt in prompts]

    def _generation(self, prompt: Prompt) -> Generation:
        if (tokens := self.count_tokens(prompt.text)) > self.context:
            raise ModelError(f"a prompt of {tokens} tokens does not fit in a context of {self.context}")
        self.prompts.append(prompt)
        text = self._answer(prompt)
        tokens_of_it = tuple(Token(start, min(start + 4, len(text)), self._logprob) for start in range(0, len(text), 4))
        return Generation(text, text.endswith("]"), tokens_of_it)

    def _answer(self, prompt: Prompt) -> str:
        if not isinstance(self._answers, Mapping):
            return self._answers(prompt)
        empty = "]" + "".join(f"{between}[]" for between in prompt.between)
        return self._answers.get(prompt.lists[-1].text, empty)
