# TORCH chooses torch's build: cuda takes the default wheel, cpu the one of PyTorch's own index.
# A wheel in wheels/ wins over both: pip download --no-deps -d wheels torch==...
ARG TORCH=cuda

# Our own kernels for CPUs; the compiler stays behind
FROM python:3.11-slim AS kernels
RUN apt-get update && apt-get install --yes --no-install-recommends g++
WORKDIR /source
COPY pyproject.toml setup.py requirements.txt README.md LICENSE ./
COPY project/segcube/backends/native/ project/segcube/backends/native/
RUN pip install --no-deps --no-compile --target /built .

FROM python:3.11-slim AS torch-cuda
ENV TORCH_INDEX="" TORCH_CUDA="13.0" TORCH_DRIVER="580.65" TORCH_GPUS="sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"

FROM python:3.11-slim AS torch-cpu
ENV TORCH_INDEX="https://download.pytorch.org/whl/cpu" TORCH_CUDA="none" TORCH_DRIVER="none" TORCH_GPUS="none"

# The packages are made in a stage of their own, so that neither pip nor wheels/ stays in the image, nor what
# OpenVINO brings for other devices and other people's models
FROM torch-${TORCH} AS packages
COPY requirements.txt wheels* /wheels/
ENV PATH=/opt/segcube/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/segcube \
 && torch=$(ls /wheels/torch-*.whl 2>/dev/null || grep '^torch==' /wheels/requirements.txt) \
 && pip install --no-deps ${TORCH_INDEX:+--extra-index-url $TORCH_INDEX} $torch \
 && pip install -r /wheels/requirements.txt \
 && pip uninstall --yes openvino-telemetry pip \
 && cd /opt/segcube/lib/python3.11/site-packages/openvino/libs \
 && rm libopenvino_intel_[gn]pu_plugin.so cache.json \
    libopenvino_onnx_* libopenvino_tensorflow_* libopenvino_paddle_* libopenvino_gguf_* libopenvino_jax_*
# The labels below have to say what torch itself says
RUN python3 -c "import os, torch; flags = torch._C._cuda_getArchFlags() if torch.version.cuda else None; \
found = (torch.version.cuda or 'none', flags or 'none'); said = (os.environ['TORCH_CUDA'], os.environ['TORCH_GPUS']); \
assert found == said, f'torch is built for CUDA and GPUs {found}, TORCH_CUDA and TORCH_GPUS say {said}'"

# Of a submission's folder, what `segcube pack` ships: scans, keys and other files there stay out of the image
FROM packages AS submissions
ARG SUBMISSION=weights
COPY project/ /source/
COPY ${SUBMISSION}/ /given/
RUN PYTHONPATH=/source python3 -c "from pathlib import Path; from segcube.harness.packing import copy_submissions; \
copy_submissions(Path('/given'), Path('/shipped'))"

FROM torch-${TORCH}
# SUBMISSION is the one submission to bake in, such as weights/my-submission; the starters are no submission
ARG SUBMISSION=weights
ARG VERSION=0.1.0
ARG SOURCE=unpublished
LABEL org.opencontainers.image.title="segcube" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.segcube.submission="${SUBMISSION}" \
      org.segcube.torch.cuda="${TORCH_CUDA}" \
      org.segcube.torch.gpus="${TORCH_GPUS}" \
      org.segcube.torch.least-driver="${TORCH_DRIVER}"
# Any user may run it, without a home, a name or a writable root
ENV PATH=/opt/segcube/bin:$PATH PYTHONPATH=/app/project PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=packages /opt/segcube /opt/segcube
COPY project/ project/
COPY --from=kernels /built/segcube/ project/segcube/
COPY mlcube/workspace/parameters.yaml mlcube/workspace/parameters.yaml
RUN python3 -m compileall -q project \
 && mkdir /workspace && ln -s /app/project/mlcube.py /workspace/predict.py
COPY --from=submissions /shipped/ weights/
ENTRYPOINT ["python3", "/app/project/mlcube.py"]
