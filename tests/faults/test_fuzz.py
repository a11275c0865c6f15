"""Random inputs: a few hundred each time, ten thousand where there is time."""

import pytest
from fuzzing import KINDS, Counts, Inputs, fuzz, one


@pytest.mark.parametrize("count", [240, pytest.param(10_000, marks=pytest.mark.slow)])
def test_every_input_is_taken_or_refused_in_a_sentence(count, tmp_path):
    counts = fuzz(count, tmp_path, seed=1000)
    assert not counts.faults, str(counts)
    assert sum(counts.taken.values()) + sum(counts.refused.values()) == count
    # Both ways out are taken: inputs that are all refused for one reason would test nothing.
    # (A command that is refused has a status of its own, and counts as taken.)
    assert all(counts.refused[kind] for kind in KINDS if kind not in ("option", "place"))
    assert sum(counts.taken.values()) > count / 50


def test_a_fault_is_found(tmp_path, monkeypatch):
    import benign.opening

    def broken(*_):
        raise KeyError("not one of ours")

    inputs, counts = Inputs(tmp_path), Counts()
    monkeypatch.setattr(benign.opening, "_size", broken)
    one(inputs, "family_file", 1, counts)
    assert [fault[:2] for fault in counts.faults] == [("family_file", 1)]
