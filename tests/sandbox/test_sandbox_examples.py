"""The examples in the sandbox's docstrings give what they say."""

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize(
    "module", ["world.world", "world.holding", "faults.behaviour", "faults.switches", "api.server"]
)
def test_the_examples_of_a_docstring_are_right(module):
    found = doctest.testmod(import_module(f"dcycle_pipeline.sandbox.{module}"), optionflags=doctest.ELLIPSIS)
    assert found.attempted > 0
    assert found.failed == 0
