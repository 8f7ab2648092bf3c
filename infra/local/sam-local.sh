#!/bin/sh
# `make sam-local`: every function through the real `sam local invoke`, against a local stack of its own.
#
# The binaries are those that are built already (PENSTOCK_BINARIES names their folder). A skip says why, and ends with
# SAM_LOCAL_SKIP_STATUS, 0 unless set: it is no failure of `make`, but a test wants to know.
set -eu
cd "$(dirname "$0")/../.."

image=public.ecr.aws/lambda/provided:al2023

skip() {
  echo "sam-local: skipped: $1" >&2
  exit "${SAM_LOCAL_SKIP_STATUS:-0}"
}

if [ "$(uname -s)" != Linux ]; then
  skip "the functions that are built here are no Linux programs"
fi
if ! command -v docker >/dev/null 2>&1; then
  skip "there is no docker; on Debian and Ubuntu: apt-get install --no-install-recommends docker.io iptables"
fi
if ! docker info >/dev/null 2>&1; then
  skip "no Docker engine answers; start one: systemctl start docker, or dockerd in the background as root"
fi

case $(uname -m) in
  aarch64 | arm64) architecture=arm64 ;;
  *) architecture=x86_64 ;;
esac
# SAM asks for the image by its architecture.
if ! docker image inspect "$image-$architecture" >/dev/null 2>&1; then
  if ! docker pull "$image-$architecture"; then
    skip "$image-$architecture cannot be pulled; without the network, from any image with glibc 2.34 or newer:
  debootstrap --variant=minbase bookworm DIR
  tar -C DIR -c . | docker import - $image-$architecture"
  fi
fi

PYTHONPATH=tests exec .venv/bin/python -m support.sam_local
