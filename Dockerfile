# TORCH selects the build of torch: cuda is the default wheel, cpu the one of PyTorch's own index.
# A wheel in wheels/ takes precedence: pip download --no-deps -d wheels torch==...
ARG TORCH=cuda

# Native CPU kernels, built in a stage of their own to keep the compiler out of the image
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

# Packages are installed in a stage of their own, to keep pip, wheels/ and OpenVINO's plugins for other devices and
# model formats out of the image
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
# The labels below must agree with torch
RUN python3 -c "import os, torch; flags = torch._C._cuda_getArchFlags() if torch.version.cuda else None; \
found = (torch.version.cuda or 'none', flags or 'none'); label = (os.environ['TORCH_CUDA'], os.environ['TORCH_GPUS']); \
assert found == label, f'torch is built for CUDA and GPUs {found}, but TORCH_CUDA and TORCH_GPUS are {label}'"

# The files that `segcube pack` takes from a submission folder; scans, keys and other files stay out of the image
FROM packages AS submissions
ARG SUBMISSION=weights
COPY project/ /source/
COPY ${SUBMISSION}/ /given/
RUN PYTHONPATH=/source python3 -c "from pathlib import Path; from segcube.release.pack.shipped import copy_submissions; \
copy_submissions(Path('/given'), Path('/shipped'))"

FROM torch-${TORCH}
# SUBMISSION is the submission folder to include, such as weights/my-submission; by default the starters
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
# Runs as any user, without home, user name or writable root
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
