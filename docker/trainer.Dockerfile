# The trainer, which may also render: what requirements.lock has for running meshcycle, and nothing that only its
# developers need. PyTorch's wheels bring their own CUDA; the host brings the driver, through NVIDIA's container
# runtime. `make images` builds it with the commit baked in; alone:
#
#   docker build -f docker/trainer.Dockerfile -t meshcycle-trainer:0.1.0 .
#
# The base is pinned by the digest of its index. For another Python, the new one is what this prints:
#
#   docker buildx imagetools inspect python:3.13.9-slim-bookworm --format '{{.Manifest.Digest}}'
#
# Any image with Debian and Python 3.13 will do: --build-arg PYTHON_IMAGE=...
ARG PYTHON_IMAGE=python:3.13.9-slim-bookworm@sha256:b685a4fa58bb19d1814d78a1ec0f0208f351452724f78b20212c984d6e124a34

FROM ${PYTHON_IMAGE} AS wheel
WORKDIR /src
COPY requirements.lock docker/wheel.in docker/locked_subset.py ./
RUN python locked_subset.py requirements.lock > trainer.lock \
    && python locked_subset.py requirements.lock wheel.in > wheel.lock \
    && pip install --no-cache-dir --disable-pip-version-check --require-hashes -r wheel.lock
COPY pyproject.toml README.md LICENSE cli.py ./
COPY configs configs
COPY tools/built_from.py tools/
COPY meshcycle meshcycle
COPY shared shared
COPY trainer trainer
COPY render_worker render_worker
COPY bg_filter bg_filter
# Of the sources, for the provenance of runs. The lock's hash is noted by itself.
ARG COMMIT=""
RUN MESHCYCLE_COMMIT=$COMMIT pip wheel --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir /wheel .

FROM ${PYTHON_IMAGE} AS packages
WORKDIR /src
COPY --from=wheel /src/trainer.lock ./
COPY docker/leave_out.py ./
RUN python -m venv --without-pip /opt/meshcycle \
    && pip --python /opt/meshcycle/bin/python install --no-cache-dir --disable-pip-version-check --require-hashes -r trainer.lock \
    && python leave_out.py /opt/meshcycle/lib/python3.13/site-packages

FROM packages AS program
COPY --from=wheel /wheel /wheel
RUN pip --python /opt/meshcycle/bin/python install --no-cache-dir --disable-pip-version-check --no-deps --target /program /wheel/*.whl \
    && mv /program/bin /commands

FROM ${PYTHON_IMAGE}
# What Blender's and OpenCV's wheels load from the system. Mesa's drawing in software is never used: pictures come from
# Cycles, or from a GPU with its own driver.
# Ray asks procps for its processes, KubeRay's probes use wget.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libegl1 libgl1 libglib2.0-0 libice6 libsm6 libx11-6 libxfixes3 libxi6 libxkbcommon0 libxrender1 libxt6 procps wget \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /usr/lib/*/dri /usr/lib/*/libLLVM* \
    && useradd --uid 1000 --create-home meshcycle \
    && install --directory --owner meshcycle --mode 700 /home/meshcycle/.ray /home/meshcycle/.cache /home/meshcycle/.certificates \
    && install --directory --owner meshcycle /data
# A layer for the packages, which stays when only meshcycle changes.
COPY --from=packages /opt/meshcycle /opt/meshcycle
COPY --from=program /commands/meshcycle /opt/meshcycle/bin/
COPY --from=program /program /opt/meshcycle/lib/python3.13/site-packages
# KubeRay starts Ray through a login shell, which forgets the PATH below.
RUN ln -s /opt/meshcycle/bin/ray /opt/meshcycle/bin/meshcycle /usr/local/bin/
# Weights and parsed annotations are kept in ~/.cache: put a volume there. Where Ray's dashboard can be reached from
# outside only who starts the container knows: MESHCYCLE_DASHBOARD says it, and nothing is printed while it is empty.
ENV PATH=/opt/meshcycle/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RAY_AUTH_MODE=token \
    MESHCYCLE_IMAGE=trainer \
    MESHCYCLE_DASHBOARD="" \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics
ARG COMMIT=""
LABEL org.opencontainers.image.revision=$COMMIT
USER 1000
WORKDIR /data
EXPOSE 6379 8265
# Whether the head listens. Ray's own check takes two seconds of a core, every minute.
HEALTHCHECK --interval=60s --timeout=30s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 6379), 20)"]
ENTRYPOINT ["meshcycle"]
CMD ["render-workers", "--head", "--host", "0.0.0.0", "--workers", "0"]
