# Stage 1 installs into a virtual environment; stage 2 has that and nothing that builds.
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.txt requirements-build.txt ./
RUN python -m venv /opt/notifier && /opt/notifier/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
RUN python -m venv /opt/build && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY notifier ./notifier
COPY templates ./templates
RUN /opt/build/bin/python -m hatchling build -t wheel && /opt/notifier/bin/pip install --no-cache-dir --no-deps dist/*.whl

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data notifier && install -d -o notifier -g notifier /data
COPY --from=build /opt/notifier /opt/notifier
COPY --from=build /src/templates /templates
ENV PATH=/opt/notifier/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NOTIFIER_DATABASE_URL=sqlite:////data/notifier.db \
    NOTIFIER_TEMPLATES_DIR=/templates
USER notifier
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD ["notifier", "ready"]
ENTRYPOINT ["notifier"]
CMD ["serve", "--host", "0.0.0.0"]
