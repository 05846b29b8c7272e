# A render worker, on CPUs or GPUs: Blender and Ray, without PyTorch. The GPU's driver and its OptiX library come
# from the host, through NVIDIA's container runtime. `make images` builds it with the commit baked in; alone:
#
#   docker build -f docker/render-worker.Dockerfile -t meshcycle-render-worker:0.1.0 .
#
# The base is the trainer's; its file says how to pin another.
ARG PYTHON_IMAGE=python:3.13.9-slim-bookworm@sha256:b685a4fa58bb19d1814d78a1ec0f0208f351452724f78b20212c984d6e124a34

FROM ${PYTHON_IMAGE} AS wheel
WORKDIR /src
COPY requirements.lock docker/wheel.in docker/render-worker.in docker/kernel-assembler.in docker/locked_subset.py ./
RUN python locked_subset.py requirements.lock render-worker.in > render-worker.lock \
    && python locked_subset.py requirements.lock kernel-assembler.in > assembler.lock \
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
# Of the sources, for the provenance of runs. The lock's hash is noted by itself. The networks' weights need PyTorch.
ARG COMMIT=""
RUN rm trainer/networks/weights/*.safetensors bg_filter/detectors/*.safetensors \
    && MESHCYCLE_COMMIT=$COMMIT pip wheel --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir /wheel .

FROM ${PYTHON_IMAGE} AS packages
WORKDIR /src
COPY --from=wheel /src/render-worker.lock ./
COPY docker/leave_out.py ./
RUN python -m venv --without-pip /opt/meshcycle \
    && pip --python /opt/meshcycle/bin/python install --no-cache-dir --disable-pip-version-check --require-hashes -r render-worker.lock \
    && python leave_out.py /opt/meshcycle/lib/python3.13/site-packages

FROM packages AS program
COPY --from=wheel /wheel /wheel
RUN pip --python /opt/meshcycle/bin/python install --no-cache-dir --disable-pip-version-check --no-deps --target /program /wheel/*.whl \
    && mv /program/bin /commands

# Blender's wheel has no CUDA kernels for A100 (sm_80) and H100 (sm_90), whose driver would compile them in every new
# container. The assembler comes with Triton and stays behind. Minutes on a core each; "" leaves them out.
FROM packages AS kernels
COPY --from=wheel /src/assembler.lock ./
COPY --from=program /program /opt/meshcycle/lib/python3.13/site-packages
ARG GPU_GENERATIONS="sm_80 sm_90"
# hadolint ignore=DL3003,SC2086
RUN mkdir /kernels \
    && if [ -n "$GPU_GENERATIONS" ]; then \
        pip install --no-cache-dir --disable-pip-version-check --no-deps --target /opt/assembler --require-hashes -r assembler.lock \
        && /opt/meshcycle/bin/python -m cli render-kernels --ptxas /opt/assembler/triton/backends/nvidia/bin/ptxas $GPU_GENERATIONS \
        && cd /opt/meshcycle/lib/python3.13/site-packages/bpy/5.2/scripts/addons_core/cycles/lib \
        && for generation in $GPU_GENERATIONS; do cp kernel_$generation.* /kernels/; done; \
    fi

FROM ${PYTHON_IMAGE}
# What Blender's wheel loads from the system. Mesa's drawing in software is never used: pictures come from Cycles, or
# from a GPU with its own driver.
# Ray asks procps for its processes, KubeRay's probes use wget.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libegl1 libgl1 libglib2.0-0 libice6 libsm6 libx11-6 libxfixes3 libxi6 libxkbcommon0 libxrender1 libxt6 procps wget \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /usr/lib/*/dri /usr/lib/*/libLLVM* \
    && useradd --uid 1000 --create-home meshcycle \
    && install --directory --owner meshcycle --mode 700 /home/meshcycle/.ray /home/meshcycle/.cache /home/meshcycle/.certificates \
    && install --directory --owner meshcycle /home/meshcycle/.nv /data
# A layer for the packages, which stays when only meshcycle changes.
COPY --from=packages /opt/meshcycle /opt/meshcycle
COPY --from=program /commands/meshcycle /opt/meshcycle/bin/
COPY --from=program /program /opt/meshcycle/lib/python3.13/site-packages
COPY --from=kernels /kernels /opt/meshcycle/lib/python3.13/site-packages/bpy/5.2/scripts/addons_core/cycles/lib
# KubeRay starts Ray through a login shell, which forgets the PATH below.
RUN ln -s /opt/meshcycle/bin/ray /opt/meshcycle/bin/meshcycle /usr/local/bin/
# Backgrounds from a URL are kept in ~/.cache, kernels that were compiled for a GPU in ~/.nv: put volumes there.
ENV PATH=/opt/meshcycle/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RAY_AUTH_MODE=token \
    MESHCYCLE_IMAGE=render-worker \
    MESHCYCLE_DASHBOARD="" \
    MESHCYCLE_HEAD=trainer:6379 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics
ARG COMMIT=""
LABEL org.opencontainers.image.revision=$COMMIT
USER 1000
WORKDIR /data
# Whether the head listens. Ray's own check takes two seconds of a core, in every container, every minute.
HEALTHCHECK --interval=60s --timeout=30s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import os, socket; host, port = os.environ['MESHCYCLE_HEAD'].rsplit(':', 1); socket.create_connection((host, int(port)), 20)"]
ENTRYPOINT ["meshcycle"]
CMD ["render-workers", "--address", "trainer:6379"]
