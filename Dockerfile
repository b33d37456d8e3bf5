# syntax=docker/dockerfile:1
# The bot with its embedded model, without the pipeline that trains models. Build: docker build -t quotesmith .
# Run: see README.md
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends build-essential cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /app
RUN python -m venv .venv
COPY pyproject.toml constraints.txt LICENSE ./
COPY build_scripts build_scripts
# An image runs on other processors than the one that built it: AVX2 is what they have in common.
# --build-arg CMAKE_ARGS= builds for this machine alone, which is faster on newer ones.
ARG CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON"
RUN --mount=type=cache,target=/root/.cache/quotesmith .venv/bin/python build_scripts/install_llama_cpp.py
COPY README.md ./
COPY bot bot
COPY migrations migrations
# The command of the package that is left out would only fail.
RUN .venv/bin/python -m pip install --no-cache-dir --constraint constraints.txt --editable . \
    && rm .venv/bin/quotesmith-pipeline

FROM python:3.11-slim
# libgomp shares llama.cpp's work between the processors.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home quotesmith && mkdir /data && chown quotesmith /data
COPY --from=build /app /app
USER quotesmith
WORKDIR /data
VOLUME /data
# A config.toml in the volume is read; these go before it, so that nothing is ever kept outside the volume.
ENV PATH=/app/.venv/bin:$PATH \
    QUOTESMITH_DATABASE__URL=sqlite+aiosqlite:////data/quotesmith.db \
    QUOTESMITH_MODEL__FOLDER=/data/models \
    QUOTESMITH_CONSOLE__HISTORY_FILE=/data/console_history
# Reads settings and database. `quotesmith doctor` would load the model a second time.
HEALTHCHECK --interval=5m --timeout=30s --start-period=2m CMD ["quotesmith", "data", "stats", "--json"]
ENTRYPOINT ["quotesmith"]
CMD ["run"]
