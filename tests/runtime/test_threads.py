"""A plan is all that says which sub-network runs: threads run several on one network at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from tests.codegen.projects import assignments, compiled, image_shape, plain, project

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
