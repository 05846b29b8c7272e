"""What renders, as a value."""

from render_worker.drawing_device import DrawingDevice


def test_gpus_are_counted_whatever_their_names() -> None:
    """The name of a GPU comes from its driver, and may hold commas and colons."""
    assert DrawingDevice("OPTIX", ("Quadro, rev. 2: mobile", "Quadro")).num_gpus == 2
    assert DrawingDevice("CPU", ("Xeon", "Xeon")).num_gpus == 0


def test_only_the_cpu_is_the_cpu() -> None:
    assert DrawingDevice("CPU", ("Xeon",)).is_cpu
    assert not DrawingDevice("HIP", ("CPU-like",)).is_cpu


def test_a_device_reads_as_in_provenance() -> None:
    assert str(DrawingDevice("CUDA", ("A", "B"))) == "CUDA: A, B"
    assert str(DrawingDevice("flat")) == "flat"
