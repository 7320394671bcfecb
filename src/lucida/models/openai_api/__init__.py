"""Models behind an OpenAI-compatible address: commercial ones, and those that vLLM, Ollama or others serve."""
