# The service, and nothing else of ours. A digest may be given: --build-arg BASE=python:3.11-slim-bookworm@sha256:...
# Both stages start from the same base, because the environment points at the base's interpreter.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
# pip works from an environment of its own, so that the one that ships never holds it.
RUN python -m venv /opt/build && python -m venv --without-pip /opt/payorch
COPY requirements/ requirements/
# Ready-made wheels only: building from source would fetch build tools that no hash covers.
RUN /opt/build/bin/pip --python /opt/payorch/bin/python install \
      --no-cache-dir --no-compile --only-binary :all: --require-hashes -r requirements/runtime.txt \
 && /opt/build/bin/pip install \
      --no-cache-dir --only-binary :all: --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY clients/ clients/
COPY service/ service/
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels ./clients/python . \
 && /opt/build/bin/pip --python /opt/payorch/bin/python install --no-cache-dir --no-compile --no-deps /wheels/*.whl
# The root file system is read-only later: byte code is made now, and trusted without looking at the source's time.
RUN /opt/payorch/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/payorch/lib \
 && /opt/build/bin/pip --python /opt/payorch/bin/python check \
 && /opt/payorch/bin/python -VV \
 && /opt/payorch/bin/python -c 'import payorch_server.cli, sys; print(sys.prefix, payorch_server.cli.__file__)'

FROM ${BASE}
COPY --from=build /opt/payorch /opt/payorch
ENV PYTHONDONTWRITEBYTECODE=1
# A number, so that Kubernetes can prove that it is not root.
USER 10001:10001
WORKDIR /
EXPOSE 50051 9464
# The exec form: SIGTERM reaches the service itself.
ENTRYPOINT ["/opt/payorch/bin/payorch-server"]
# Last, because these change with every build.
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="payorch" \
      org.opencontainers.image.description="gRPC service through which internal services take payments with Zuora" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
