FROM python:3.11-slim

# TORCH_PIP chooses torch's build: empty takes the default wheel, which brings CUDA;
# "--extra-index-url https://download.pytorch.org/whl/cpu" or "--find-links wheels" takes a CPU wheel.
ARG TORCH_PIP=""
# SUBMISSION is the one submission to bake in, such as weights/my-submission; the starters are no submission.
ARG SUBMISSION=weights

WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir $TORCH_PIP "$(grep '^torch==' requirements.txt)" \
 && pip install --no-cache-dir -r requirements.txt
COPY project/ project/
COPY mlcube/workspace/parameters.yaml mlcube/workspace/parameters.yaml
COPY ${SUBMISSION}/ weights/
RUN PYTHONPATH=project python3 -m compileall -q project

# Any user may run it, with no home, no network and a read-only root: caches go to the temporary folder
ENV PYTHONPATH=/app/project PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp USER=segcube MPLCONFIGDIR=/tmp/matplotlib TORCHINDUCTOR_CACHE_DIR=/tmp/inductor \
    TRITON_CACHE_DIR=/tmp/triton NUMBA_CACHE_DIR=/tmp/numba
ENTRYPOINT ["python3", "/app/project/mlcube.py"]
