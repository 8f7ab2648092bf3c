#!/bin/sh
# Fetches the typings of Terraform's AWS provider into .tools; does nothing when they are there already. They are made from
# the provider's own schema, and can be had where the provider cannot. tests/infra/test_terraform.py reads them.
set -eu
cd "$(dirname "$0")/../.."

package=@cdktf/provider-aws
version=21.22.1 # of provider 6.25
folder=.tools/provider-aws-$version

if [ -d "$folder" ]; then exit 0; fi
if ! command -v npm >/dev/null 2>&1; then
  echo "no npm: Terraform's attributes will not be checked" >&2
  exit 0
fi
fetched=$(mktemp -d)
trap 'rm -rf "$fetched"' EXIT
echo "fetching the typings of Terraform's AWS provider into $folder"
if ! npm pack --silent --pack-destination "$fetched" "$package@$version" >/dev/null; then
  echo "npm could not fetch $package: Terraform's attributes will not be checked" >&2
  exit 0
fi
mkdir -p "$folder.new"
# All of them: a type that is not there does not exist.
(cd "$folder.new" && tar -xzf "$fetched"/*.tgz --strip-components=2 $(tar -tzf "$fetched"/*.tgz | grep '^package/lib/[^/]*/index\.d\.ts$'))
mv "$folder.new" "$folder"
