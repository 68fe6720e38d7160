# vlsi on Debian 12: docker build -t vlsi . && docker run --rm -it -v "$PWD:/work" vlsi --help
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends bash git python3 python3-venv ca-certificates && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# What is installed, in a layer of its own: it changes less often than the source.
COPY cmake/setup.sh cmake/setup.sh
COPY web/package.json web/package-lock.json web/.npmrc web/
RUN bash cmake/setup.sh
COPY . .
RUN cmake/wheel.sh

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv ca-certificates libstdc++6 && rm -rf /var/lib/apt/lists/* \
  && python3 -m venv /opt/vlsi
# Which torch: a requirement and options of pip, of the version that the wheel was built against.
ARG TORCH=
RUN --mount=from=build,source=/src/dist,target=/dist \
  if [ -n "$TORCH" ]; then /opt/vlsi/bin/pip install --no-cache-dir $TORCH; fi \
  && /opt/vlsi/bin/pip install --no-cache-dir /dist/vlsi-*.whl
ENV PATH=/opt/vlsi/bin:$PATH
WORKDIR /work
ENTRYPOINT ["vlsi"]
