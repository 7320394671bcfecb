"""Stable Diffusion, FLUX, Qwen-Image and kin by diffusers, with ControlNets, LoRAs and IP-Adapters."""
