"""Training: maximum likelihood by backpropagation through time, resumable at any update."""

import contextlib
import logging
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from models import checkpoint
from models.checkpoint import Progress, RunError
from models.config import Recipe, TrainingConfig
from models.data import Batch, Corpus, collate, read_pairs
from models.evaluation import Scores, evaluate, score, translations
from models.processes import Processes
from models.seq2seq import Seq2Seq
from models.tokenizer import Tokenizer

log = logging.getLogger("models.training")


class Trainer:
    """Own everything that changes while a model learns; with several processes, each has its own."""

    def __init__(
        self,
        recipe: Recipe,
        tokenizer: Tokenizer,
        data: Path,
        run: Path,
        device: torch.device,
        processes: Processes | None = None,
    ) -> None:
        self.processes = processes or Processes()
        self.recipe, self.config, self.tokenizer, self.run, self.device = (
            recipe,
            recipe.training,
            tokenizer,
            run,
            device,
        )
        self.corpus = Corpus(read_pairs(data, recipe.data.train, recipe.data), tokenizer, recipe.data)
        self.valid_text = read_pairs(data, recipe.data.valid, recipe.data)
        self.valid = self.valid_text[: self.config.valid_sentences]
        torch.manual_seed(self.config.seed)
        self.model = checkpoint.build_model(recipe, tokenizer).to(device)
        if not self.processes.leads:  # the same weights, but other dropout
            torch.manual_seed(self.config.seed + self.processes.rank)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.0, betas=(0.9, 0.98), eps=1e-9)
        self.progress = Progress()
        gpu = device.type == "cuda"
        self.bf16 = self.config.precision == "bf16" or (self.config.precision == "auto" and gpu)
        log.info(
            "%d parameters, %d pairs (%d left out as longer than %d pieces), %s on %s",
            sum(p.numel() for p in self.model.parameters()),
            len(self.corpus.pairs),
            self.corpus.left_out,
            recipe.data.max_pieces,
            "bf16" if self.bf16 else "fp32",
            device,
        )

    def resume(self) -> None:
        """Go on from the newest checkpoint: weights, optimizer, random state and place in the data.

        Of a run with an origin, that is its weights at first.
        """
        folders = checkpoint.checkpoints(self.run)
        if not folders:
            log.info("%s has no checkpoint yet: starting at update 0", self.run)
            return
        self.progress = checkpoint.read_checkpoint(folders[-1], self.model)
        if not self.progress.update:  # the start that an origin gave: nothing but weights
            return
        extra = checkpoint.read_extra(folders[-1])
        own = _of(self.processes.rank)
        if f"random.cpu{own}" in extra:  # there may have been fewer processes
            torch.set_rng_state(extra[f"random.cpu{own}"])
        if self.device.type == "cuda" and f"random.cuda{own}" in extra:
            torch.cuda.set_rng_state(extra[f"random.cuda{own}"], self.device)
        for name, parameter in self.model.named_parameters():
            state = {key: extra[f"{name}/{key}"] for key in ("step", "exp_avg", "exp_avg_sq")}
            self.optimizer.state[parameter] = {
                key: value if key == "step" else value.to(self.device) for key, value in state.items()
            }
        log.info("resumed %s at update %d", self.run, self.progress.update)

    def save(self) -> None:
        """Write a checkpoint that `resume` can go on from, and drop those that are no longer needed."""
        states = {"random.cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["random.cuda"] = torch.cuda.get_rng_state(self.device)
        every = self.processes.gather(states)
        if not self.processes.leads:
            return
        extra = {f"{name}{_of(rank)}": state for rank, found in enumerate(every) for name, state in found.items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state[parameter].items():
                extra[f"{name}/{key}"] = value.detach().cpu().contiguous()
        folder = self.run / "checkpoints" / f"{self.progress.update:07d}"
        checkpoint.write_checkpoint(folder, self.model, self.progress, extra)
        checkpoint.prune(self.run, self.config.average)

    def train(self) -> None:
        """Train until max_updates, or until the validation BLEU has not risen for `patience` validations."""
        config, progress = self.config, self.progress
        leads = self.processes.leads
        hidden = not (leads and sys.stderr.isatty())
        bar = tqdm(total=config.max_updates, initial=progress.update, unit="update", disable=hidden)
        window_loss, window_tokens = torch.zeros((), device=self.device), 0
        with contextlib.ExitStack() as stack:
            stack.enter_context(bar)
            writer = None
            if leads:
                again = progress.update + 1  # from here on, what was written before is written again
                writer = stack.enter_context(SummaryWriter(str(self.run / "tensorboard"), purge_step=again))
            for batch in self.batches():
                loss = self.update(batch)
                window_loss, window_tokens = window_loss + loss, window_tokens + batch.target_tokens
                bar.update()
                if progress.update % 20 == 0:
                    rate = bar.format_dict["rate"] or 0.0
                    tokens = rate * progress.target_tokens / progress.update
                    bar.set_postfix(loss=f"{window_loss.item() / window_tokens:.3f}", tokens=f"{tokens:.0f}/s")
                if progress.update % config.validate_every and progress.update < config.max_updates:
                    continue
                progress.losses.append(window_loss.item() / window_tokens)
                window_loss, window_tokens = torch.zeros((), device=self.device), 0
                scores = self.validate()
                measured = {
                    "train/loss": progress.losses[-1],
                    "train/learning_rate": self.optimizer.param_groups[0]["lr"],
                    "valid/bleu": scores.bleu,
                    "valid/chrf": scores.chrf,
                }
                for name, value in measured.items():
                    if writer:
                        writer.add_scalar(name, value, progress.update)
                self.save()
                if progress.stale >= config.patience:
                    log.info("no better BLEU for %d validations: stopping", progress.stale)
                    break
        if leads:
            write_best(self.run, config.average, self.model, self.tokenizer, self.valid_text)

    def batches(self) -> Iterator[Batch]:
        """Yield this process's shares of batches, from the run's place in the data to its last update."""
        progress = self.progress
        while progress.update < self.config.max_updates and progress.stale < self.config.patience:
            batches = self.corpus.batches(self.config.seed, progress.epoch, self.config.batch_tokens)
            for pairs in batches[progress.batch :]:
                progress.batch += 1
                tokens = sum(len(target) + 1 for _, target in pairs)
                yield collate(self.processes.share(pairs), self.device, tokens, self.recipe.model.source_end)
                if progress.update >= self.config.max_updates:
                    return
            progress.epoch, progress.batch = progress.epoch + 1, 0

    def update(self, batch: Batch) -> Tensor:
        """Take one optimizer step for the batch of all processes; returns its summed loss (nats)."""
        self.model.train()
        rate = learning_rate(self.config, self.progress.update + 1) * self.progress.rate_factor
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.zeros((), device=self.device)
        if len(batch.lengths):  # there may be fewer rows than processes
            with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
                given = batch.source_ids, batch.lengths, batch.target_ids
                loss = self.model.loss(*given, self.config.label_smoothing, self.config.consistency)
            (loss / batch.target_tokens).backward()
        loss = self.processes.add_up(self.model.parameters(), loss.detach())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.progress.update += 1
        self.progress.target_tokens += batch.target_tokens
        return loss

    def validate(self) -> Scores:
        """Score greedy translations of the validation text and note whether they got better."""
        progress = self.progress
        share = translations(self.model, self.tokenizer, self.processes.share(self.valid))
        scores = score(self.processes.whole(share), [target for _, target in self.valid])
        progress.bleu, progress.chrf = scores.bleu, scores.chrf
        if scores.bleu > progress.best_bleu:
            progress.best_bleu, progress.stale = scores.bleu, 0
        else:
            progress.stale += 1
            if self.config.schedule == "plateau" and progress.stale % self.config.plateau_patience == 0:
                progress.rate_factor /= 2
        log.info(
            "update %d, epoch %d: loss %.3f, valid BLEU %.2f, chrF %.2f",
            progress.update,
            progress.epoch,
            progress.losses[-1],
            scores.bleu,
            scores.chrf,
        )
        return scores


def write_best(run: Path, count: int, model: Seq2Seq, tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]]) -> None:
    """Write RUN/best: the average of the best `count` checkpoints, or the single best where that scores higher.

    Both are scored on all of the validation text, `pairs`: the sentences of a validation are too few to tell them
    apart.

    Raises:
        RunError: there is no checkpoint, or one is not of this model.
    """
    folders = checkpoint.best_checkpoints(run, count)
    if not folders:
        raise RunError(f"{run} has no checkpoint to average")
    progress = checkpoint.read_checkpoint(folders[0], model)
    single = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    alone = evaluate(model, tokenizer, pairs)
    checkpoint.fill(model, checkpoint.average(folders))
    scores = evaluate(model, tokenizer, pairs)
    log.info("average of %d checkpoints: valid BLEU %.2f, best single %.2f", len(folders), scores.bleu, alone.bleu)
    if scores.bleu < alone.bleu:
        checkpoint.fill(model, single)
        scores = alone
    progress.bleu, progress.chrf = scores.bleu, scores.chrf
    checkpoint.write_checkpoint(run / "best", model, progress, None)


def _of(rank: int) -> str:
    """Mark what belongs to a process, unless it is the first."""
    return f".{rank}" if rank else ""


def learning_rate(config: TrainingConfig, update: int) -> float:
    """Return the rate of the given update (the first is 1), before the plateau factor."""
    if update <= config.warmup_updates:
        return config.learning_rate * update / config.warmup_updates
    if config.schedule == "plateau":
        return config.learning_rate
    share = (update - config.warmup_updates) / max(1, config.max_updates - config.warmup_updates)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
