"""Step: the checks of ``meshcycle doctor`` that concern Blender, each in a process of its own."""

from dataclasses import asdict

from shared.cli.doctor import examine
from shared.seams.check import Check
from tools.offline_gpu.node.report import report

_DEVICES = ("cuda", "optix")
CHECKS = (
    Check("Blender", "render_worker.checks:blender"),
    Check("GPU, Blender", "render_worker.checks:cycles_gpus"),
    Check("GPU, kernels", "render_worker.checks:gpu_kernels"),
    *(
        Check(device, "render_worker.checks:drawing_device", arguments={"device": device})
        for device in _DEVICES
    ),
)


def main() -> None:
    """Render on the CPU, and ask for every kind of device."""
    findings = []
    for finding in examine(CHECKS, {device: device for device in _DEVICES}):
        findings.append(asdict(finding))
        print(finding, flush=True)
        report(findings, "; ".join(f"{found['check']}: {found['found']}" for found in findings))


if __name__ == "__main__":
    main()
