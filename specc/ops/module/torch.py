"""A module of the user's, from a Python file that goes with the project; what the spec says of it is verified."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


class Module(nn.Module):
    """The class or function `name` of the file at `path`, in the project, called with `args`.

    It reads a tensor of shape `reads` and gives one of shape `gives`, both without the batch, and has `params`
    parameters. Raises ValueError, with what is the case, where that is not so.
    """

    def __init__(
        self,
        path: str,
        name: str,
        args: str = "",
        *,
        reads: tuple[int, ...],
        gives: tuple[int, ...],
        params: int,
    ) -> None:
        super().__init__()
        self.path, self.name, self.args = path, name, args
        self.reads, self.gives, self.params = reads, gives, params
        self.module = self.made()
        self.verify()

    def made(self) -> nn.Module:
        """The user's module."""
        import ast
        import sys
        from importlib.util import module_from_spec, spec_from_file_location
        from pathlib import Path

        folders = Path(__file__).resolve().parents[:3]  # the project's is the last of these
        file = next(
            (folder / self.path for folder in folders if (folder / self.path).is_file()), None
        )
        if file is None:
            raise ValueError(f"{self.path} is missing: the network uses {self.name} of it")
        key = f"module at {file}"
        code = sys.modules.get(key)
        if code is None:
            spec = spec_from_file_location(key, file)
            assert spec is not None
            assert spec.loader is not None
            code = module_from_spec(spec)
            sys.modules[key] = code
            spec.loader.exec_module(code)
        make = getattr(code, self.name, None)
        if make is None:
            raise ValueError(f"{self.path} has no {self.name}")
        called = ast.parse(f"f({self.args})", mode="eval").body
        assert isinstance(called, ast.Call)
        given = [ast.literal_eval(value) for value in called.args]
        named = {str(pair.arg): ast.literal_eval(pair.value) for pair in called.keywords}
        made = make(*given, **named)
        if not isinstance(made, nn.Module):
            raise ValueError(
                f"{self.name} of {self.path} makes no nn.Module but a {type(made).__name__}"
            )
        return made

    def verify(self) -> None:
        """Holds the module to its parameters and, where it has memory, to the shape of what it gives."""
        where = f"{self.name} of {self.path}"
        count = sum(parameter.numel() for parameter in self.module.parameters())
        if count != self.params:
            raise ValueError(f"{where} has {count} parameters, and the spec says {self.params}")
        tensors = [*self.module.parameters(), *self.module.buffers()]
        x = torch.zeros(2, *self.reads, device=tensors[0].device if tensors else None)
        if x.is_meta:
            return
        training = self.module.training
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            y: Any = self.module.eval()(x)
        self.module.train(training)
        shape = tuple(y.shape[1:]) if isinstance(y, Tensor) else type(y).__name__
        if shape != tuple(self.gives):
            raise ValueError(
                f"{where} gives {shape} of {tuple(self.reads)}, and the spec says {tuple(self.gives)}"
            )

    def forward(self, x: Tensor, cut: None = None) -> Tensor:
        y: Tensor = self.module(x)
        return y

    def extracted(self, cut: None = None) -> Module:
        """A copy: there is nothing of it that a sub-network could leave out."""
        return copy.deepcopy(self)
