"""`python -m sekft.serve` as a process of its own, and adapters for it to serve."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import torch

from sekft.config import LoraConfig
from sekft.model import lora
from sekft.model.adapter import FINGERPRINT
from sekft.model.base import Base
from tests.process import Command, start


@dataclass(frozen=True)
class Running:
    url: str
    process: subprocess.Popen[str] | Command
    log: Path

    def chat(self, messages: list[dict], model: str, **more) -> httpx.Response:
        body = {"model": model, "messages": messages, **more}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, timeout=120)

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=120)


@contextmanager
def running(folder: Path, *settings: str, **environment: str) -> Iterator[Running]:
    """settings: settings. The output goes to folder/out.txt; url is empty for a Unix socket."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "out.txt"
    with log.open("w") as out:
        settings = ("serve.port=0", "model.device=cpu", *settings)
        process = start("sekft.serve", *settings, cwd=folder, stdout=out, stderr=subprocess.STDOUT, **environment)
    try:
        found = None
        while found is None:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
            found = re.search(r"^listening: (.*)$", log.read_text(), re.M)
        yield Running(found[1], process, log)
    finally:
        process.kill()
        process.wait()


def make_adapter(base: Base, folder: Path, seed: int, proven: bool = True) -> Path:
    """A random LoRA that changes the replies, saved as training saves it; proven: with its fingerprint."""
    with lora.fresh(base, LoraConfig(name="r8", r=8, alpha=16), seed) as tuned:
        with torch.no_grad():
            for name, parameter in tuned.named_parameters():
                if "lora_B" in name:
                    parameter += 0.1 * torch.randn_like(parameter)
        saved = lora.publish(lora.save(tuned, base, folder, base.fingerprint()))
    if not proven:
        (saved / FINGERPRINT).unlink()
    return saved
