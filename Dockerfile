# The sidecar in a container: an unprivileged user, a read-only root, and one place to write in.
# deploy/README.md shows how to run it.

# The newest Python that the dependencies' wheels and the tests are for. Only the digest counts; the
# tag says what it is. For newer ones: docker buildx imagetools inspect python:3.13-slim-trixie
ARG BASE=python:3.13.15-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285

FROM ${BASE} AS build
WORKDIR /build
# Wheels only, each with its hash: nothing runs here that the lock files do not name.
COPY requirements-build.lock requirements-run.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/sidecar \
    && python -m pip --python /opt/sidecar install --no-compile --require-hashes \
       --only-binary :all: --requirement requirements-run.lock \
    && python -m pip install --no-compile --require-hashes --only-binary :all: \
       --target /build/tools --requirement requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY sidecar sidecar
# Bytecode that is never held against its source: the same in every copy, and quick to load.
RUN PYTHONPATH=/build/tools python -m hatchling build --target wheel --directory /build/dist \
    && python -m pip --python /opt/sidecar install --no-compile --no-deps --no-index \
       /build/dist/*.whl \
    && python -m compileall -f -q -j 0 --invalidation-mode unchecked-hash /opt/sidecar/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="x402-sidecar" \
      org.opencontainers.image.description="A local reverse proxy that pays over HTTP 402 (x402)" \
      org.opencontainers.image.licenses="MIT"
# In a container loopback is reached by nobody else: who may connect is said where ports are
# published, and Host and token are asked for as ever. These win over the config.
ENV PATH=/opt/sidecar/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/var/lib/sidecar \
    SIDECAR_CONFIG=/etc/sidecar/sidecar.yaml \
    SIDECAR_STATE_DIR=/var/lib/sidecar \
    SIDECAR_LISTEN=0.0.0.0:8402 \
    SIDECAR_ADMIN=0.0.0.0:9402
# The base brings no bytecode of Python's own library, and on a read-only root nobody else makes it.
RUN python -m compileall -f -q -j 0 --invalidation-mode unchecked-hash \
      -x '/(ensurepip|idlelib|lib2to3|site-packages|test|tkinter|turtledemo)/' \
      "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && install -d -m 0755 /etc/sidecar \
    && install -d -m 0700 -o 65532 -g 65532 /var/lib/sidecar
COPY --from=build /opt/sidecar /opt/sidecar
USER 65532:65532
VOLUME /var/lib/sidecar
EXPOSE 8402 9402
STOPSIGNAL SIGTERM
# Healthy is who answers: a frozen sidecar does, and nobody should restart it for that.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["sidecar", "health"]
ENTRYPOINT ["sidecar"]
CMD ["run"]
