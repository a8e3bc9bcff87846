# The workstation in one container, with the embedded servers of the wheels (see compose.yaml for servers of their own).
FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends make bubblewrap libcurl4 libssl3 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/arm
COPY requirements.lock pyproject.toml Makefile README.md ./
COPY PlatformAPI PlatformAPI
COPY atp atp
COPY plat plat
COPY assets assets
COPY backend backend
COPY app app
COPY pages pages
COPY solutions solutions
COPY .streamlit .streamlit
RUN make install
RUN useradd --create-home --uid 1000 arm && mkdir -p /data && chown arm:arm /data
USER arm
ENV ARM_HOME=/data
VOLUME /data
# Everything binds to loopback until users and roles exist: run with `--network host`, or put a signing-in proxy before it.
CMD [".venv/bin/arm", "up"]
