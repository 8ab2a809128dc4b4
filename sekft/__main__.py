"""`python -m sekft`: the verbs, the main ones first."""

VERBS = {
    "train": "one run: base -> data -> rehearsal -> masked SFT -> adapter -> exam -> tracker",
    "eval": "the exam alone: any base, any adapter, any worlds",
    "resident": "a prompt at which the base stays in memory: the other verbs, without loading it anew",
    "collect": "play scenarios and record the lives",
    "check": "lint scenario bundles",
    "preview": "paint rendered rows: which tokens are learned",
    "compare": "runs side by side: table, intervals, verdicts, one page",
    "serve": "OpenAI chat-completions endpoint: base and adapters by name",
    "status": "which runs are alive, stalled, dead or done, and why",
    "release": "verify the evidence of runs, promote an adapter, roll back",
    "chat": "talk to a model, watch it in a container, review what it should have typed",
    "pretrain": "make the embedded base from nothing",
}


def main() -> None:
    for verb, story in VERBS.items():
        print(f"python -m sekft.{verb:<9} {story}")
    print("\nEach has --help. Any setting is a key: python -m sekft.train model=tiny lora=r16 trainer.lr=1e-3")


if __name__ == "__main__":
    main()
