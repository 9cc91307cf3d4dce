"""The last layer: roughly computed where that is enough, and yet it chooses as the whole layer would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transfusion.errors import ModelError

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_causal import TEXTS, prompt, tiny_model, tiny_tokenizer  # noqa: E402
from transfusion.decoder.generate import TransformersGenerator  # noqa: E402
from transfusion.decoder.head import Head, Opinions, Screening, find_head  # noqa: E402
from transfusion.decoder.packing import computes_bfloat16  # noqa: E402

SIZE = 48


def screened(weight: Any) -> Head:
    head = Head(layer(weight))
    if not computes_bfloat16():
        pytest.skip("this processor has no instructions for bfloat16")
    assert head.screened
    return head


def layer(weight: Any) -> Any:
    made = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    made.weight = torch.nn.Parameter(weight)
    return made


def drawn(seed: int, pieces: int, places: int, *, near: float) -> tuple[Any, Any]:
    """Weights and hidden states; the smaller ``near``, the closer the best pieces are to each other."""
    source = torch.Generator().manual_seed(seed)
    weight = torch.randn(pieces, SIZE, generator=source)
    hidden = torch.randn(places, SIZE, generator=source)
    # Every tenth piece is nearly what the first place asks for: logits that bfloat16 cannot tell apart.
    weight[::10] = hidden[0] + near * weight[::10]
    return weight, hidden


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 1 << 30),
    st.sampled_from([512, 1000, 1537]),
    st.integers(1, 9),
    st.sampled_from([1e-5, 1e-4, 1e-3, 1e-2, 1.0]),
)
def test_the_piece_is_that_of_the_whole_layer(seed: int, pieces: int, places: int, near: float) -> None:
    weight, hidden = drawn(seed, pieces, places, near=near)
    with torch.inference_mode():
        found = screened(weight)(hidden)
        exact = hidden.double() @ weight.double().T
    assert found.logits.dtype == torch.bfloat16
    for place, piece in enumerate(found.best):
        # Logits that are the same but for the rounding of float32 are both right.
        assert float(exact[place].max() - exact[place, piece]) < 1e-4
    allowed = np.arange(pieces - 3) % 7 == seed % 7
    for place in range(places):
        chosen = found.best_allowed(place, allowed)
        assert chosen is not None
        assert allowed[chosen]
        assert float(exact[place, : len(allowed)][torch.from_numpy(allowed)].max() - exact[place, chosen]) < 1e-4


def test_rough_logits_alone_would_choose_otherwise() -> None:
    weight, hidden = drawn(3, 1000, 5, near=1e-3)
    with torch.inference_mode():
        found = screened(weight)(hidden)
        assert found.best == (hidden @ weight.T).argmax(1).tolist()
        assert found.best[0] != int(found.logits[0].argmax())


@pytest.mark.parametrize("together", [1, 3])
def test_probabilities_are_those_of_the_whole_layer(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    weight, hidden = drawn(11, 1000, 7, near=1e-3)
    expected = (hidden @ weight.T).log_softmax(1)
    places = [5, 0, 0, 3, 6]
    pieces = [int(expected[5].argmax()), 10, 17, 999, int(expected[6].argmax())]
    wanted = [float(expected[place, piece]) for place, piece in zip(places, pieces, strict=True)]
    monkeypatch.setattr("transfusion.decoder.head._TOGETHER", {"cpu": together})
    with torch.inference_mode():
        assert Head(layer(weight))(hidden).log_probabilities(places, pieces) == pytest.approx(wanted, abs=5e-3)
        assert Opinions(hidden @ weight.T).log_probabilities(places, pieces) == pytest.approx(wanted, abs=1e-4)


def test_where_everything_may_be_best_the_whole_layer_decides() -> None:
    weight = torch.randn(4000, SIZE, generator=torch.Generator().manual_seed(2))
    weight[7] *= 1e4  # one such row widens the bound of all
    hidden = torch.randn(3, SIZE, generator=torch.Generator().manual_seed(3))
    hidden -= (hidden @ weight[7, :, None]) * weight[7] / weight[7].square().sum()
    with torch.inference_mode():
        found = screened(weight)(hidden)
        exact = hidden @ weight.T
    assert found.logits.dtype == torch.float32
    assert found.best == exact.argmax(1).tolist()
    assert found.log_probabilities([1], [5]) == pytest.approx([float(exact.log_softmax(1)[1, 5])], abs=1e-4)


def test_what_is_forbidden_is_never_chosen() -> None:
    weight, hidden = drawn(5, 1000, 2, near=1.0)
    allowed = np.arange(1000) == 5
    with torch.inference_mode():
        assert screened(weight)(hidden * 1e25).best_allowed(1, allowed) == 5
    logits = torch.zeros(1, 4)
    logits[0, 2] = float("-inf")
    assert Opinions(logits).best_allowed(0, np.array([False, False, True])) is None


def test_of_equals_the_first_is_best() -> None:
    found = Opinions(torch.tensor([[0.0, 2.0, 1.0, 2.0], [-1.0, -1.0, -1.0, -1.0]], dtype=torch.bfloat16))
    assert found.best == [1, 0]
    assert found.best_allowed(0, np.array([True, False, True, True])) == 3
    assert found.best_allowed(0, np.zeros(4, dtype=bool)) is None
    assert Opinions(torch.zeros(0, 4)).best == []


def test_numbers_that_are_none_are_an_error() -> None:
    with pytest.raises(ModelError, match="NaN"):
        Opinions(torch.tensor([[0.0, 1.0], [float("nan"), float("nan")]]))


def test_the_bound_holds_where_rounding_is_worst() -> None:
    """Every weight lies between two neighbours in bfloat16, and is rounded in the direction that hurts."""
    hidden = torch.full((1, SIZE), 1 + 2.0**-8 - 2.0**-20)
    weight = torch.stack([torch.full((SIZE,), 1 + 2.0**-8 + 2.0**-20), torch.full((SIZE,), 1 + 2.0**-8 - 2.0**-20)])
    weight[1] *= 1 + 2.0**-18
    rough, fine = (hidden.bfloat16() @ weight.bfloat16().T).float(), hidden @ weight.T
    error = torch.tensor([0.0])
    screening = Screening(weight, hidden, error)
    assert float(rough.argmax()) != float(fine.argmax())  # else this shows nothing
    assert screening.exact(torch.tensor([0, 0]), torch.tensor([0, 1])).tolist() == pytest.approx(fine[0].tolist())
    with torch.inference_mode():
        assert screened(weight)(hidden).best == fine.argmax(1).tolist()


def test_what_a_model_does_to_its_logits_is_not_passed_over() -> None:
    ids = torch.arange(3, 20)
    tokenizer = tiny_tokenizer()
    capped = tiny_model("gemma3, capped", len(tokenizer))
    assert find_head(capped, ids) is None
    whole: Any = tiny_model("gemma3", len(tokenizer))
    assert find_head(whole, ids) is not None
    scaled = whole.lm_head.forward
    whole.lm_head.forward = lambda hidden: scaled(hidden) * (2 if hidden.ndim == 3 else 1)
    assert find_head(whole, ids) is None
    one = prompt(*TEXTS[0])
    (answer,) = TransformersGenerator(capped, tokenizer, max_new_tokens=20, constrained=False).generate([one])
    read: Any = tokenizer(one.text)["input_ids"]
    with torch.inference_mode():
        network: Any = capped
        written = network.generate(torch.tensor([read]), max_new_tokens=20, do_sample=False)[0, len(read) :].tolist()
        logps = network(torch.tensor([read + written])).logits[0].log_softmax(-1)
    expected = [float(logps[len(read) - 1 + place, token]) for place, token in enumerate(written)]
    assert [token.logprob for token in answer.tokens] == pytest.approx(expected[: len(answer.tokens)], abs=1e-3)
    assert len(answer.tokens) > 5
