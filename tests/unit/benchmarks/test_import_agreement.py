"""How far apart two translations are where they part; the programs themselves run in environments of their own."""

import pytest
import torch

from benchmarks.import_agreement import _gap
from models.config import ModelConfig
from models.data import pad_sources
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID, EOS_ID, PAD_ID

pytestmark = pytest.mark.torch

SOURCE = [5, 6, 7]


@torch.no_grad()
def test_the_gap_is_that_of_the_first_other_piece() -> None:
    """Also where one of two translations ends; what follows does not count."""
    torch.manual_seed(3)
    sizes = {"embedding_size": 8, "encoder_hidden_size": 8, "decoder_hidden_size": 8, "attention_size": 8}
    model = Seq2Seq(ModelConfig(**sizes, source_end=True), 12, PAD_ID).eval()
    memory, state = model.encode(*pad_sources([SOURCE], True))
    _, state, _ = model.step(torch.tensor([[BOS_ID]]), state, memory)
    logits = model.step(torch.tensor([[4]]), state, memory)[0][0, 0]
    assert _gap(model, SOURCE, [4, 5, 6], [4, 8, 9]) == pytest.approx(abs(float(logits[5] - logits[8])))
    assert _gap(model, SOURCE, [4], [4, 8]) == pytest.approx(abs(float(logits[EOS_ID] - logits[8])))
