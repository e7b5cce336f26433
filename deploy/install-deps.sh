#!/usr/bin/env bash
# Installs what Lockstep is built and tested with, on Debian 12; what is there already is left alone.
#
#   deploy/install-deps.sh [build] [test] [clang]     build and test when none is named
set -euo pipefail

build_packages=(g++ cmake ninja-build ccache mold libgrpc++-dev protobuf-compiler
  protobuf-compiler-grpc libprotobuf-dev libsqlite3-dev libabsl-dev libspdlog-dev libcli11-dev
  libxxhash-dev libyaml-cpp-dev libjemalloc-dev libgtest-dev libgmock-dev)
test_packages=(clang-format sqlite3 mmdebstrap python3 python3-grpcio nlohmann-json3-dev curl ca-certificates
  docker.io docker-compose)
clang_packages=(clang libclang-rt-14-dev llvm)

grpcurl_module=github.com/fullstorydev/grpcurl/cmd/grpcurl

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# A program that came another way, as Docker's own packages do, makes its package unnecessary.
provided_otherwise() {
  case "$1" in
    docker.io) command -v docker >/dev/null ;;
    docker-compose) command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 ;;
    *) false ;;
  esac
}

install_packages() {
  local missing=() package
  for package in "$@"; do
    installed "$package" || provided_otherwise "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "Installing ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    "${missing[@]}"
}

install_grpcurl() {
  command -v grpcurl >/dev/null && return 0
  local go
  go=$(command -v go || echo /usr/local/go/bin/go)
  if [ ! -x "$go" ]; then
    echo "grpcurl is missing, and so is Go to build it: tests that use it will be skipped." >&2
    return 0
  fi
  echo "Installing grpcurl"
  as_root env GOBIN=/usr/local/bin "$go" install "$grpcurl_module@latest"
}

if [ $# -eq 0 ]; then set -- build test; fi
for group in "$@"; do
  case "$group" in
    build) install_packages "${build_packages[@]}" ;;
    test)
      install_packages "${test_packages[@]}"
      install_grpcurl
      ;;
    clang) install_packages "${clang_packages[@]}" ;;
    *)
      echo "usage: deploy/install-deps.sh [build] [test] [clang]" >&2
      exit 2
      ;;
  esac
done
