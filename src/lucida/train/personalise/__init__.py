"""Teach a model that draws something of one's own from a few photos: LoRA, DreamBooth."""
