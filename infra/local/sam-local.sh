#!/bin/sh
# `make sam-local`: invokes every function by the real `sam local invoke`, with a local stack of its own.
#
# The binaries must have been built; PENSTOCK_BINARIES is their folder. If a requirement is missing, the script prints it and
# exits with SAM_LOCAL_SKIP_STATUS. The default 0 is a success for `make`; tests set another status to detect it.
set -eu
cd "$(dirname "$0")/../.."

image=public.ecr.aws/lambda/provided:al2023

skip() {
  echo "sam-local: skipped: $1" >&2
  exit "${SAM_LOCAL_SKIP_STATUS:-0}"
}

if [ "$(uname -s)" != Linux ]; then
  skip "the functions built on this machine are not Linux programs"
fi
if ! command -v docker >/dev/null 2>&1; then
  skip "docker is not installed; on Debian and Ubuntu: apt-get install --no-install-recommends docker.io iptables"
fi
if ! docker info >/dev/null 2>&1; then
  skip "no Docker engine is running; start one: systemctl start docker, or dockerd in the background as root"
fi

case $(uname -m) in
  aarch64 | arm64) architecture=arm64 ;;
  *) architecture=x86_64 ;;
esac
# SAM looks for an image with the architecture in its tag.
if ! docker image inspect "$image-$architecture" >/dev/null 2>&1; then
  if ! docker pull "$image-$architecture"; then
    skip "$image-$architecture cannot be pulled; without network access, create it with glibc 2.34 or newer:
  debootstrap --variant=minbase bookworm DIR
  tar -C DIR -c . | docker import - $image-$architecture"
  fi
fi

PYTHONPATH=tests exec .venv/bin/python -m support.sam_local
