# Two images from one base: the service, which is the default, and with --target emulator what stands in for Zuora.
# Two builds of one commit on one base give the same bytes; docs/image.md says how, and how to see it.
ARG BASE=docker.io/library/python:3.11-slim-bookworm
# The base as it was looked at: sha256:...
ARG DIGEST=

FROM ${BASE}${DIGEST:+@${DIGEST}} AS tools
# The time that everything carries; `make image` gives the commit's. hatchling's own default, unless given.
ARG SOURCE_DATE_EPOCH=1580601600
# Sets are written into byte code in the order of their hashes.
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# pip reads this one backwards: 0 means that it leaves byte code alone.
ENV PIP_NO_COMPILE=0
# Ready-made wheels only: building from source would fetch build tools that no hash covers.
ENV PIP_ONLY_BINARY=:all: PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# pip works from an environment of its own, so that those that ship never hold it.
RUN python -m venv /opt/build
COPY requirements/build.txt requirements/licences.toml requirements/
RUN /opt/build/bin/pip install --require-hashes -r requirements/build.txt
COPY tools/image/ tools/image/

FROM tools AS build-emulator
COPY requirements/emulator.txt requirements/
RUN python -m venv --without-pip /opt/zuora-emulator \
 && /opt/build/bin/pip --python /opt/zuora-emulator/bin/python install --require-hashes -r requirements/emulator.txt
COPY tests/emulator/ tests/emulator/
RUN sh tools/image/finish.sh /opt/zuora-emulator tests/emulator

FROM tools AS build
COPY requirements/runtime.txt requirements/
RUN python -m venv --without-pip /opt/payorch \
 && /opt/build/bin/pip --python /opt/payorch/bin/python install --require-hashes -r requirements/runtime.txt
COPY clients/python/ clients/python/
COPY pyproject.toml README.md LICENSE ./
COPY service/ service/
RUN sh tools/image/finish.sh /opt/payorch . clients/python \
 && /opt/payorch/bin/python -c 'import payorch_server.cli, sys; print(sys.version, payorch_server.cli.__file__)'

# What both images are before they hold anything: the environment's interpreter is the base's.
FROM ${BASE}${DIGEST:+@${DIGEST}} AS bare
# The root file system is read-only later.
ENV PYTHONDONTWRITEBYTECODE=1
# A number, so that Kubernetes can prove that it is not root.
USER 10001:10001
WORKDIR /

FROM bare AS emulator
COPY --from=build-emulator /opt/zuora-emulator /opt/zuora-emulator
EXPOSE 9080
ENTRYPOINT ["/opt/zuora-emulator/bin/zuora-emulator"]
CMD ["serve", "--host", "0.0.0.0"]
ARG BASE
ARG DIGEST
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="payorch-zuora-emulator" \
      org.opencontainers.image.description="An emulator of the parts of Zuora that payorch uses; it is not Zuora" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE}${DIGEST:+@${DIGEST}}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

FROM bare
COPY --from=build /opt/payorch /opt/payorch
EXPOSE 50051 9464
# The exec form: SIGTERM reaches the service itself.
ENTRYPOINT ["/opt/payorch/bin/payorch-server"]
# Last, because these change with every build.
ARG BASE
ARG DIGEST
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="payorch" \
      org.opencontainers.image.description="gRPC service through which internal services take payments with Zuora" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE}${DIGEST:+@${DIGEST}}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
