"""GGUF files as bases: what a file says, and its conversion into a folder with config, tokenizer, chat template and safetensors."""
