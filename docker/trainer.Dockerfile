# The trainer, which may also render: everything in requirements.lock. PyTorch's wheels bring their own CUDA; the
# host brings the driver, through NVIDIA's container runtime.
#
#   docker build -f docker/trainer.Dockerfile -t meshcycle-trainer:0.1.0 .
FROM python:3.13.9-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/meshcycle \
    && /opt/meshcycle/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
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

FROM python:3.13.9-slim-bookworm
# What Blender's and OpenCV's wheels load from the system.
# Ray asks procps for its processes, KubeRay's probes use wget.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libegl1 libgl1 libglib2.0-0 libice6 libsm6 libx11-6 libxfixes3 libxi6 libxkbcommon0 libxrender1 libxt6 procps wget \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home meshcycle \
    && install --directory --owner meshcycle --mode 700 /home/meshcycle/.ray \
    && install --directory --owner meshcycle /data
COPY --from=build /opt/meshcycle /opt/meshcycle
# KubeRay starts Ray through a login shell, which forgets the PATH below.
RUN ln -s /opt/meshcycle/bin/ray /opt/meshcycle/bin/meshcycle /usr/local/bin/
ENV PATH=/opt/meshcycle/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RAY_AUTH_MODE=token \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics
USER 1000
WORKDIR /data
EXPOSE 6379
HEALTHCHECK --interval=60s --timeout=30s --start-period=120s --retries=3 \
    CMD ["ray", "health-check", "--address", "127.0.0.1:6379"]
ENTRYPOINT ["meshcycle"]
CMD ["render-workers", "--head", "--host", "0.0.0.0", "--workers", "0"]
