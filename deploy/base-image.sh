#!/usr/bin/env bash
# Makes sure that Docker has the base image of deploy/Dockerfile: pulls it, or, where no registry is
# reached, makes one like it from Debian's packages (mmdebstrap, half a minute).
set -euo pipefail

image=debian:bookworm-slim

if docker image inspect "$image" >/dev/null 2>&1; then exit 0; fi
echo "Pulling $image"
if timeout 120 docker pull -q "$image" 2>/dev/null; then exit 0; fi

echo "No registry is reached; making $image from Debian's packages"
if ! command -v mmdebstrap >/dev/null; then
  echo "mmdebstrap is missing: deploy/install-deps.sh test" >&2
  exit 1
fi
# What the official slim image leaves out too.
mmdebstrap --quiet --variant=minbase \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/info/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  bookworm - | docker import - "$image"
