"""Generators of one's own: flow, diffusion, an adversarial pair, and a variational autoencoder."""
