"""A plan is all that says which sub-network runs: threads run several on one network at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from tests.helpers.projects import assignments, compiled, image_shape, plain, project

torch.set_num_threads(1)


@pytest.mark.parametrize("name", ["digits", "digits_ofa", "digits_awn", "digits_densenet", "digits_vit_adn"])
def test_threads_run_sub_networks_side_by_side(name: str, tmp_path: Path) -> None:
    graph = compiled(name).graph
    drawn = assignments(graph, 4)
    net = project(compiled(name), tmp_path).model.Model().eval()
    plans = [net.plan(plain(graph, at)) for at in drawn]
    images = torch.randn(2, *image_shape(graph, drawn[0]), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        alone = [net(images, plan) for plan in plans]

    def answer(turn: int) -> tuple[int, torch.Tensor]:
        with torch.inference_mode():
            return turn % len(plans), net(images, plans[turn % len(plans)])

    with ThreadPoolExecutor(6) as pool:
        for number, found in pool.map(answer, range(120)):
            assert torch.equal(found, alone[number])


@pytest.mark.parametrize("training", [False, True])
def test_sub_networks_are_bound_while_others_run(training: bool, tmp_path: Path) -> None:
    """torch.fx has the calls of all modules of the process come to the tracer. A training network stays in training."""
    net = project(compiled("digits"), tmp_path).model.Model().eval()
    plans, images = [net.plan("min"), net.plan("max")], torch.randn(2, 1, 8, 8)
    with torch.inference_mode():
        alone = [net(images, plan) for plan in plans]
    net.train(training)
    done = threading.Event()

    def prepare(turn: int) -> list[torch.Tensor]:
        with torch.inference_mode():
            net.__dict__.pop("_lines", None)
            return [make(plans[turn % 2])(images) for make in (net.extract, net.fused)]

    def serve() -> int:
        turn = 0
        with torch.inference_mode():
            while not (done.is_set() and turn):
                assert torch.equal(net(images, plans[turn % 2]), alone[turn % 2])
                turn += 1
        return turn

    with ThreadPoolExecutor(3) as pool:
        served = None if training else pool.submit(serve)
        found = [*pool.map(prepare, range(3))]
        done.set()
        assert served is None or served.result()
    for turn, answers in enumerate(found):
        for answer in answers:
            torch.testing.assert_close(answer, alone[turn % 2], rtol=1e-4, atol=1e-5)
    assert all(module.training is training for module in net.modules())
