"""What torchrun tells each of its processes is read in one place."""

import pytest

from shared import processes
from shared.errors import ConfigError

VARIABLES = {
    "TORCHELASTIC_RUN_ID": "none",
    "RANK": "3",
    "WORLD_SIZE": "8",
    "LOCAL_WORLD_SIZE": "4",
    "GROUP_WORLD_SIZE": "2",
}


def asked() -> tuple[bool, int, int, int]:
    return (
        processes.is_first_process(),
        processes.num_processes(),
        processes.num_processes_here(),
        processes.num_machines(),
    )


def test_a_process_of_torchrun_knows_its_company(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert asked() == (False, 8, 4, 2)
    monkeypatch.setenv("RANK", "0")
    assert asked() == (True, 8, 4, 2)


def test_a_process_without_torchrun_is_the_first_and_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert asked() == (True, 1, 1, 1)


def test_what_torchrun_did_not_set_is_ignored_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shells in pods and queues inherit it; PyTorch would wait for the seven others."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert processes.forget_leftovers() == ()
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    assert asked() == (True, 1, 1, 1)
    assert set(processes.forget_leftovers()) == {*VARIABLES} - {"TORCHELASTIC_RUN_ID"}
    assert processes.forget_leftovers() == ()


@pytest.mark.parametrize("text", ["x", "-1", "", "1.5", "1e3"])
def test_an_announcement_that_is_no_number_is_one_line(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", text)
    with pytest.raises(ConfigError, match="WORLD_SIZE in the environment: expected a number"):
        processes.num_processes()
