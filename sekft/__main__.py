"""`python -m sekft`: the commands, the main ones first."""

COMMANDS = {
    "train": "one run: base -> data -> rehearsal -> masked SFT -> adapter -> evaluation -> tracker",
    "eval": "only the evaluation: any base, any adapter, any scenarios",
    "resident": "a prompt at which the base stays in memory: the other commands, without loading it again",
    "collect": "play scenarios and record the episodes",
    "check": "lint scenarios",
    "preview": "paint rendered rows: which tokens are learned",
    "compare": "runs side by side: table, intervals, verdicts, one page",
    "serve": "OpenAI chat-completions endpoint: base and adapters by name",
    "status": "which runs are alive, stalled, dead or done, and why",
    "release": "verify the evidence of runs, promote an adapter, roll back",
    "chat": "talk to a model, watch it in a container, review what it should have typed",
    "pretrain": "make the embedded base from nothing",
}


def main() -> None:
    for command, story in COMMANDS.items():
        print(f"python -m sekft.{command:<9} {story}")
    print("\nEach has --help. Any setting is a key: python -m sekft.train model=tiny lora=r16 trainer.lr=1e-3")


if __name__ == "__main__":
    main()
