"""What torchrun tells each of its processes is read in one place."""

import pytest

from shared import processes

VARIABLES = {"RANK": "3", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "GROUP_WORLD_SIZE": "2"}


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
