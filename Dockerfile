# One image for every role: the command says which. Production: without the embedded services.
FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/maestro
WORKDIR /src
COPY requirements-runtime.lock ./
RUN /opt/maestro/bin/pip install --require-hashes --no-deps -r requirements-runtime.lock
COPY pyproject.toml README.md ./
COPY maestro maestro
COPY api api
COPY streams streams
COPY sinks sinks
COPY bus bus
COPY stores stores
COPY llm llm
COPY schemas schemas
COPY telemetry telemetry
COPY bench bench
RUN /opt/maestro/bin/pip install --no-deps --no-build-isolation --no-index .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin maestro
COPY --from=build /opt/maestro /opt/maestro
ENV PATH=/opt/maestro/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LITELLM_LOCAL_MODEL_COST_MAP=True \
    MAESTRO_HEALTH_HOST=0.0.0.0 \
    MAESTRO_HEALTH_PORT=8080
USER 10001
EXPOSE 8000 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['MAESTRO_HEALTH_PORT']}/live\", timeout=4)"]
ENTRYPOINT ["maestro"]
CMD ["--help"]
