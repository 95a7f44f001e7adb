# The published service alone: compiled, without tests, tools and development packages, as a user without rights.
#   docker build -t tollgate .
#   docker run -v ./bundle:/etc/tollgate:ro -v tollgate:/var/lib/tollgate tollgate
# tollgate.yaml puts the ledger there (`ledger: {path: /var/lib/tollgate/ledger.db}`), and names peppers that are mounted.
# It runs no shell, and writes below /var/lib/tollgate only (SQLite also to /tmp): the root may be read-only.
# No HEALTHCHECK: the orchestrator asks, by gRPC health or `node /app/dist/cli/health.js`, and tells "starting" from "broken".

FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY tools/node/package.json tools/node/
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build
# COPY keeps the owner it is told even of an empty directory; so the last stage needs no command as root for its data.
RUN mkdir data

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json .npmrc LICENSE ./
COPY tools/node/package.json tools/node/
# The image brings Node 24, so the pinned binary of the workspace (an optional package) stays out.
RUN npm ci --omit=dev --omit=optional && npm cache clean --force
COPY --from=build /src/dist dist
COPY --from=build --chown=65532:65532 /src/data /var/lib/tollgate
USER 65532:65532
# Checks and access log, where the settings keep their ports. Both are loopback unless the settings say otherwise by name.
EXPOSE 18080 18081
# Without the signal that would open a debugger's port.
ENTRYPOINT ["node", "--disable-sigusr1", "/app/dist/cli/main.js"]
CMD ["serve", "--config", "/etc/tollgate"]
