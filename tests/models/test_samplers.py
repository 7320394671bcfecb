"""Samplers against the exact solution for Gaussian data, and against those of diffusers."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from lucida.models.onnx import samplers

MEAN, DEVIATION = 0.3, 0.4
NOISE = np.random.default_rng(0).standard_normal((4000,)).astype(np.float32)
MOST = 20.0


def clean(keep):
    """Return the expected data of N(MEAN, DEVIATION²) at a noise, in float64."""

    def found(x, sigma):
        share = keep(sigma)
        spread = (share * DEVIATION) ** 2 + sigma**2
        return MEAN + share * DEVIATION**2 / spread * (x - share * MEAN)

    return found


def draw(method: str, sampler: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what a sampler draws of the noise, and what the equation leads to."""
    if method == "flow":
        sigmas, keep = samplers.flow_sigmas(steps), samplers.keep_flow
        exact = MEAN + DEVIATION * NOISE.astype(np.float64)
    else:
        sigmas, keep = samplers.karras_sigmas(steps, 1.0, 0.002, MOST, 7.0), samplers.keep_diffusion
        exact = MEAN + DEVIATION * (MOST * NOISE.astype(np.float64) - MEAN) / math.hypot(DEVIATION, MOST)
    start = sigmas[0] * NOISE.astype(np.float64)
    return samplers.SAMPLERS[sampler](clean(keep), start, sigmas, keep, lambda x, sigma: x), exact


@pytest.mark.parametrize(("method", "sampler"), [("flow", "euler"), ("flow", "heun"), ("flow", "dpm++"),
                                                 ("diffusion", "heun"), ("diffusion", "dpm++")])  # fmt: skip
def test_it_comes_to_the_mean_and_deviation_of_the_data(method, sampler):
    found, exact = draw(method, sampler, 200)
    assert found.mean() == pytest.approx(exact.mean(), abs=0.004)
    assert found.std() == pytest.approx(exact.std(), rel=0.01)


@pytest.mark.parametrize(
    ("method", "sampler", "factor"),
    [("flow", "euler", 2), ("flow", "heun", 4), ("diffusion", "heun", 4), ("diffusion", "dpm++", 4)],
)
def test_twice_the_steps_leave_the_error_that_the_order_promises(method, sampler, factor):
    errors = [np.abs(np.subtract(*draw(method, sampler, steps))).max() for steps in (64, 128)]
    assert errors[0] / errors[1] == pytest.approx(factor, rel=0.25)


def test_float32_stays_float32():
    start = NOISE[:5].copy()
    for name, sampler in samplers.SAMPLERS.items():
        found = sampler(lambda x, sigma: x * 0, start, samplers.flow_sigmas(3), samplers.keep_flow, lambda x, s: x)
        assert found.dtype == np.float32, name
    np.testing.assert_array_equal(start, NOISE[:5])


@pytest.mark.parametrize(("steps", "strength", "taken"), [(10, 1.0, 10), (10, 0.7, 7), (10, 0.01, 1), (1, 0.5, 1)])
def test_a_part_of_the_way_has_its_part_of_the_steps(steps, strength, taken):
    sigmas = samplers.flow_sigmas(steps, strength)
    assert (len(sigmas), sigmas[0], sigmas[-1]) == (taken + 1, pytest.approx(strength), 0)
    noise = samplers.karras_sigmas(steps, strength, 0.002, 80.0, 7.0)
    assert (len(noise), noise[-1]) == (taken + 1, 0)
    assert all(a > b for a, b in pairwise(noise))
    assert noise[0] == pytest.approx(80) if strength == 1 else noise[0] < 80


@pytest.mark.parametrize(("sampler", "steps"), [("heun", 5), ("euler", 5), ("dpm++", 5), ("heun", 1)])
def test_calls_are_counted(sampler, steps):
    seen = []

    def count(x, sigma):
        assert sigma > 0
        seen.append(sigma)
        return x

    samplers.SAMPLERS[sampler](count, NOISE[:2], samplers.flow_sigmas(steps), samplers.keep_flow, lambda x, sigma: x)
    assert len(seen) == samplers.calls(sampler, steps)


@pytest.mark.torch
def test_steps_are_those_of_diffusers():
    import torch
    from diffusers import EDMDPMSolverMultistepScheduler, EDMEulerScheduler, FlowMatchEulerDiscreteScheduler

    steps, x = 9, torch.from_numpy(NOISE[:50].astype(np.float64))
    flow = FlowMatchEulerDiscreteScheduler()
    flow.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps))
    at = x.clone()
    for t, sigma in zip(flow.timesteps, flow.sigmas.tolist(), strict=False):
        velocity = (at - clean(samplers.keep_flow)(at, sigma)) / sigma
        at = flow.step(velocity, t, at, return_dict=False)[0]
    ours = samplers.euler(
        clean(samplers.keep_flow), x.numpy(), samplers.flow_sigmas(steps), samplers.keep_flow, lambda x, sigma: x
    )
    np.testing.assert_allclose(ours, at.numpy(), atol=1e-5)

    sigmas = samplers.karras_sigmas(steps, 1.0, 0.002, 80.0, 7.0)
    for kind, sampler in ((EDMEulerScheduler, samplers.euler), (EDMDPMSolverMultistepScheduler, samplers.dpm)):
        theirs = kind()
        theirs.set_timesteps(steps)
        np.testing.assert_allclose(theirs.sigmas.numpy(), sigmas, rtol=1e-5)
        at = x.clone().float() * sigmas[0]
        for i, t in enumerate(theirs.timesteps):
            theirs.scale_model_input(at, t)
            # What their preconditioning makes the expected data of.
            sigma, data = sigmas[i], clean(samplers.keep_diffusion)(at.double(), sigmas[i])
            skip, out = 0.25 / (sigma**2 + 0.25), sigma * 0.5 / math.hypot(sigma, 0.5)
            at = theirs.step(((data - skip * at) / out).float(), t, at, return_dict=False)[0]
        ours = sampler(
            clean(samplers.keep_diffusion), sigmas[0] * x.numpy(), sigmas, samplers.keep_diffusion, lambda x, sigma: x
        )
        np.testing.assert_allclose(ours, at.numpy(), atol=2e-4)
