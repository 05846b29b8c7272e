# A render worker, on CPUs or GPUs: Blender and Ray, without PyTorch. The GPU's driver and its OptiX library come
# from the host, through NVIDIA's container runtime.
#
#   docker build -f docker/render-worker.Dockerfile -t meshcycle-render-worker:0.1.0 .
FROM python:3.13.9-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock docker/render-worker.in docker/locked_subset.py ./
RUN python -m venv /opt/meshcycle \
    && python locked_subset.py requirements.lock render-worker.in > render-worker.lock \
    && /opt/meshcycle/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r render-worker.lock
COPY pyproject.toml README.md LICENSE cli.py ./
COPY configs configs
COPY tools/built_from.py tools/
COPY meshcycle meshcycle
COPY shared shared
COPY trainer trainer
COPY render_worker render_worker
COPY bg_filter bg_filter
# Of the sources, for the provenance of runs: --build-arg COMMIT=$(git rev-parse HEAD)
ARG COMMIT=""
RUN MESHCYCLE_COMMIT=$COMMIT /opt/meshcycle/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .
# Blender's wheel has no CUDA kernels for A100 (sm_80) and H100 (sm_90), whose driver would compile them in every new
# container. The assembler comes with Triton and stays behind. Minutes on a core each; "" leaves them out.
ARG GPU_GENERATIONS="sm_80 sm_90"
COPY docker/kernel-assembler.in ./
# hadolint ignore=SC2086
RUN python locked_subset.py requirements.lock kernel-assembler.in > assembler.lock \
    && pip install --no-cache-dir --disable-pip-version-check --no-deps --target /opt/assembler --require-hashes -r assembler.lock \
    && if [ -n "$GPU_GENERATIONS" ]; then \
        /opt/meshcycle/bin/meshcycle render-kernels --ptxas /opt/assembler/triton/backends/nvidia/bin/ptxas $GPU_GENERATIONS; \
    fi

FROM python:3.13.9-slim-bookworm
# What Blender's wheel loads from the system.
# Ray asks procps for its processes, KubeRay's probes use wget.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libegl1 libgl1 libglib2.0-0 libice6 libsm6 libx11-6 libxfixes3 libxi6 libxkbcommon0 libxrender1 libxt6 procps wget \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home meshcycle \
    && install --directory --owner meshcycle --mode 700 /home/meshcycle/.ray \
    && install --directory --owner meshcycle /home/meshcycle/.nv /data
COPY --from=build /opt/meshcycle /opt/meshcycle
# KubeRay starts Ray through a login shell, which forgets the PATH below.
RUN ln -s /opt/meshcycle/bin/ray /opt/meshcycle/bin/meshcycle /usr/local/bin/
# Kernels that were compiled for a GPU are kept in ~/.nv: put a volume there.
ENV PATH=/opt/meshcycle/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RAY_AUTH_MODE=token \
    MESHCYCLE_HEAD=trainer:6379 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics
USER 1000
WORKDIR /data
HEALTHCHECK --interval=60s --timeout=30s --start-period=120s --retries=3 \
    CMD ["sh", "-c", "ray health-check --address $MESHCYCLE_HEAD"]
ENTRYPOINT ["meshcycle"]
CMD ["render-workers", "--address", "trainer:6379"]
