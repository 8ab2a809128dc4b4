"""One training in a process of its own: BASE FOLDER [CHECKPOINT | kill=STEP]; prints steps and the adapter's sha256.

kill=STEP: the process kills itself in the step after it, between the gradients and the optimizer.
"""

import os
import signal
import sys
from pathlib import Path

from transformers import TrainerCallback, TrainerState

from sekft.config import Device, LoraConfig, ModelConfig, TrainerConfig
from sekft.data.sample import Row
from sekft.model import base as bases
from sekft.model import lora
from sekft.train.trainer import make_trainer
from tests.train.weights import digest

ROWS = [Row(f"r{i}", tuple(range(3 + i, 13 + 2 * i)), tuple(float(t > 4) for t in range(10 + i))) for i in range(11)]
SETTINGS = TrainerConfig(epochs=2.5, batch=2, accumulation=2, tokens_per_batch=40, lr=5e-3, save_every_steps=1)  # 3 steps an epoch
DROPOUT = LoraConfig(name="r4", r=4, alpha=8, dropout=0.2)


class KillCallback(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_pre_optimizer_step(self, args: object, state: TrainerState, control: object, **_: object) -> None:
        if state.global_step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder: str, out: str, then: str = "") -> None:
    kill, checkpoint = then.startswith("kill="), None if not then or then.startswith("kill=") else then
    base = bases.load(ModelConfig(name="small", path=folder, device=Device.cpu))
    with lora.fresh(base, DROPOUT, seed=1) as tuned:
        callbacks = [KillCallback(int(then.removeprefix("kill=")))] if kill else []
        trainer = make_trainer(tuned, base, ROWS, SETTINGS, Path(out) / "checkpoints", seed=1, callbacks=callbacks)
        trainer.train(resume_from_checkpoint=checkpoint)
        print(trainer.state.global_step, digest(lora.publish(lora.save(tuned, base, Path(out) / "adapter", {}))))


if __name__ == "__main__":
    main(*sys.argv[1:])
